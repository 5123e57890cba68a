import type { Given } from './given.ts';

/** The problems of a system whose address (`leader`) is set while something that it needs besides is not. */
export const missingCompanions = (given: Given, leader: string, companions: readonly string[]): string[] =>
  given[leader] === undefined
    ? []
    : companions.filter((name) => given[name] === undefined).map((name) => `${name} must be set where ${leader} is`);

/** The problems of settings that mean nothing without their system's address: a stand-in would serve unnoticed. */
export const missingLeader = (given: Given, leader: string, companions: readonly string[]): string[] =>
  given[leader] === undefined
    ? companions.filter((name) => given[name] !== undefined).map((name) => `${name} is set, but ${leader} is not`)
    : [];
