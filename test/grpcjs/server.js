// A server of grpc-js for our clients. It prints its port, and then a line for each thing that happens to a call. It ends with its input.
//
// The request header "steps" says what becomes of the attempts of a call, in their order and between commas: "ok", "hang", "after:ATTEMPT",
// which is "ok" once that one has begun, or "fail:CODE" or "fail:CODE:PUSHBACK". Metadata that begins with "echo-" comes back in headers and
// trailers.

'use strict';

const { EventEmitter } = require('events');
const grpc = require('@grpc/grpc-js');
const service = require('./service');

const print = (event) => process.stdout.write(JSON.stringify(event) + '\n');

// The attempts that have begun, as "NAME ATTEMPT", and an event of that name for each.
const begun = new Set();
const begins = new EventEmitter();

// begin does what call's metadata asks for. then(error, trailers) is called when an answer is due.
function begin(call, then) {
  const attempt = Number(call.metadata.get('grpc-previous-rpc-attempts')[0] || 0);
  const name = String(call.metadata.get('name')[0] || '');
  print({ event: 'begin', name, attempt });
  begun.add(`${name} ${attempt}`);
  begins.emit(`${name} ${attempt}`);
  const header = new grpc.Metadata(), trailer = new grpc.Metadata();
  for (const key of Object.keys(call.metadata.getMap())) {
    if (!key.startsWith('echo-')) continue;
    for (const value of call.metadata.get(key)) {
      header.add(key, value);
      trailer.add(key, value);
    }
  }
  const details = call.metadata.get('details-bin')[0];
  if (details) {
    trailer.set('grpc-status-details-bin', details);
    return then({ code: grpc.status.ABORTED, details: 'detailed', metadata: trailer });
  }
  const ok = () => {
    call.sendMetadata(header);
    then(null, trailer);
  };
  const [step, number, pushback] = String(call.metadata.get('steps')[0] || 'ok').split(',')[attempt].split(':');
  switch (step) {
    case 'hang': return call.on('cancelled', () => print({ event: 'cancelled', name, attempt }));
    case 'after': return begun.has(`${name} ${number}`) ? ok() : begins.once(`${name} ${number}`, ok);
    case 'fail':
      if (pushback) trailer.set('grpc-retry-pushback-ms', pushback);
      return then({ code: Number(number), details: `attempt ${attempt}`, metadata: trailer });
    default:
      return ok();
  }
}

const server = new grpc.Server();
server.addService(service, {
  Unary: (call, callback) => begin(call, (error, trailer) => callback(error, call.request, trailer)),
  ClientStream: (call, callback) => begin(call, (error, trailer) => {
    let all = '';
    call.on('data', (text) => { all += text; });
    call.on('end', () => callback(error, all, trailer));
    if (error) callback(error);
  }),
  ServerStream: (call) => begin(call, (error, trailer) => {
    if (error) return call.emit('error', error);
    for (const text of call.request) call.write(text);
    call.end(trailer);
  }),
  Bidi: (call) => begin(call, (error, trailer) => {
    if (error) return call.emit('error', error);
    call.on('data', (text) => call.write(text));
    call.on('end', () => call.end(trailer));
  }),
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  print({ event: 'serving', port });
});
process.stdin.on('end', () => process.exit(0)).resume();
