import type streams from '@eventstore/db-client/generated/streams_pb.js';
import type { handleServerStreamingCall } from '@grpc/grpc-js';
import { admit, type Node } from '../node.ts';
import { createOutlet, type Outlet } from './outlet.ts';
import { read } from './read.ts';
import { type ReadRequest, readRequest } from './read-request.ts';
import { internal, invalidArgument } from './rpc-errors.ts';
import { subscribe } from './subscription.ts';

/** A pattern that is none, or a combination of options that makes no sense, is the caller's mistake. */
const parse = (message: streams.ReadReq): ReadRequest | string => {
  try {
    return readRequest(message);
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) return error.message;
    throw error;
  }
};

/** `Streams.Read`: reads and subscriptions, of one stream or of `$all`. */
export const readHandler =
  (node: Node): handleServerStreamingCall<streams.ReadReq, Buffer> =>
  (call) => {
    const outlet: Outlet = createOutlet(call);
    const serve = async (): Promise<void> => {
      const request = parse(call.request);
      if (typeof request === 'string') return outlet.fail(invalidArgument(request));
      const kind = request.count === undefined ? 'subscription' : 'read';
      const right = request.stream === undefined ? 'read-all' : 'read';
      const admitted = await admit(node, { kind, right }, { metadata: call.metadata, peer: call.getPeer() });
      if (admitted === 'none') return;
      if (admitted === 'end') return outlet.end();
      if (admitted !== 'go-on') return outlet.fail(admitted);
      await (kind === 'read' ? read(node, outlet, request) : subscribe(node, outlet, request));
    };
    serve().catch((error: unknown) => outlet.fail(internal(error)));
  };
