// What client.js and server.js share: a service with a method of each kind, whose messages are google.protobuf.StringValue.

'use strict';

// encode turns a string into a StringValue: field 1, with its length.
function encode(text) {
  const body = Buffer.from(text);
  const length = [];
  let n = body.length;
  for (; n > 127; n >>>= 7) length.push((n & 127) | 128);
  length.push(n);
  return body.length ? Buffer.concat([Buffer.from([0x0a, ...length]), body]) : Buffer.alloc(0);
}

// decode turns a StringValue into its string.
function decode(bytes) {
  if (!bytes.length) return '';
  if (bytes[0] !== 0x0a) throw new Error(`not a StringValue: begins with ${bytes[0]}`);
  let n = 0, at = 1;
  for (let shift = 0; ; shift += 7) {
    const b = bytes[at++];
    n |= (b & 127) << shift;
    if (b < 128) break;
  }
  if (at + n !== bytes.length) throw new Error(`StringValue of ${n} bytes in a message of ${bytes.length}`);
  return bytes.subarray(at).toString();
}

function method(name, requestStream, responseStream) {
  return {
    path: `/grpcjs.Echo/${name}`, requestStream, responseStream,
    requestSerialize: encode, requestDeserialize: decode, responseSerialize: encode, responseDeserialize: decode,
  };
}

module.exports = {
  Unary: method('Unary', false, false),
  ClientStream: method('ClientStream', true, false),
  ServerStream: method('ServerStream', false, true),
  Bidi: method('Bidi', true, true),
};
