import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import type { handleUnaryCall } from '@grpc/grpc-js';
import { cancelled } from './calls/rpc-errors.ts';
import { type Member, type Node, strike } from './node.ts';

/** So that nobody takes the double for the product. */
export const SERVER_VERSION = '0.0.0-budapp-test-double';

const STREAMS = 'event_store.client.streams.streams';
const GOSSIP = 'event_store.client.gossip.gossip';

const supported = (service: string, method: string): features.SupportedMethod =>
  new features.SupportedMethod().setServiceName(service).setMethodName(method);

/** `ServerFeatures.GetSupportedMethods`. Without `batchappend`, clients append with `Append`. */
export const supportedMethodsHandler =
  (node: Node): handleUnaryCall<shared.Empty, features.SupportedMethods> =>
  async (call, callback) => {
    const fault = node.faults.take('features');
    if (fault !== undefined) {
      const struck = await strike(node, fault, call.getPeer());
      if (struck !== 'none') callback(struck === 'end' ? cancelled() : struck);
      return;
    }
    const methods = ['read', 'append', 'delete', 'tombstone', ...(node.batchAppend ? ['batchappend'] : [])];
    callback(
      null,
      new features.SupportedMethods()
        .setEventStoreServerVersion(SERVER_VERSION)
        .setMethodsList([...methods.map((method) => supported(STREAMS, method)), supported(GOSSIP, 'read')]),
    );
  };

const { VNodeState } = gossip.MemberInfo;
const STATES: Record<Member['state'], gossip.MemberInfo.VNodeState> = {
  leader: VNodeState.LEADER,
  follower: VNodeState.FOLLOWER,
  unknown: VNodeState.UNKNOWN,
};

const memberInfo = ({ id, host, port, state, alive }: Member): gossip.MemberInfo =>
  new gossip.MemberInfo()
    .setInstanceId(new shared.UUID().setString(id))
    .setTimeStamp(`${Date.now()}0000`)
    .setState(STATES[state])
    .setIsAlive(alive)
    .setHttpEndPoint(new gossip.EndPoint().setAddress(host).setPort(port));

/** `Gossip.Read`: who is there, and who leads. */
export const gossipHandler =
  (node: Node): handleUnaryCall<shared.Empty, gossip.ClusterInfo> =>
  (_call, callback) =>
    callback(null, new gossip.ClusterInfo().setMembersList(node.members().map(memberInfo)));
