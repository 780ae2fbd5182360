// A client of grpc-js for our server: "client.js ADDRESS CASE". It prints what came of the case as JSON.

'use strict';

const grpc = require('@grpc/grpc-js');
const service = require('./service');

const [address, name] = process.argv.slice(2);
const Echo = grpc.makeGenericClientConstructor(service, 'grpcjs.Echo');

// dial makes a channel, whose calls have the policy if there is one.
function dial(policy, options) {
  const config = { loadBalancingConfig: [{ pick_first: {} }], methodConfig: [{ name: [{}], ...policy }] };
  return new Echo(address, grpc.credentials.createInsecure(), { 'grpc.service_config': JSON.stringify(config), ...options });
}

function metadata(pairs) {
  const md = new grpc.Metadata();
  for (const [key, value] of Object.entries(pairs)) md.add(key, value);
  return md;
}

// plain is metadata as JSON: binary values in base64.
function plain(md) {
  const out = {};
  for (const key of Object.keys(md.getMap()).sort()) {
    if (key.startsWith('echo-')) out[key] = md.get(key).map((v) => (Buffer.isBuffer(v) ? v.toString('base64') : v));
  }
  return out;
}

function status(s) {
  const details = s.metadata.get('grpc-status-details-bin')[0];
  return { code: s.code, text: s.details, details: details && details.toString('base64') };
}

// call makes a call, and resolves to all that comes of it.
function call(client, method, texts, md = new grpc.Metadata(), options = {}) {
  return new Promise((resolve) => {
    const result = { got: [] };
    const done = (error, text) => { if (!error) result.got.push(text); };
    const { requestStream, responseStream } = service[method];
    const args = [...(requestStream ? [] : [texts[0]]), md, options, ...(responseStream ? [] : [done])];
    const c = client[method](...args);
    c.on('metadata', (header) => { result.header = plain(header); });
    c.on('status', (s) => {
      result.status = status(s);
      result.trailer = plain(s.metadata);
      setImmediate(resolve, result); // after the callback of a unary call
    });
    if (responseStream) {
      c.on('data', (text) => result.got.push(text));
      c.on('error', () => {}); // which is the status once more
    }
    if (requestStream) {
      for (const text of texts) c.write(text);
      c.end();
    }
  });
}

const hedging = (maxAttempts, hedgingDelay) => ({ hedgingPolicy: { maxAttempts, hedgingDelay, nonFatalStatusCodes: ['UNAVAILABLE'] } });

const cases = {
  async kinds() {
    const client = dial();
    const out = {};
    for (const method of Object.keys(service)) out[method] = (await call(client, method, ['abc', 'd', ''])).got;
    return out;
  },
  async metadata() {
    const md = metadata({ 'echo-text': 'a b', 'echo-bytes-bin': Buffer.from([0, 1, 254, 255]) });
    const { header, trailer } = await call(dial(), 'Unary', ['x'], md);
    return { header, trailer };
  },
  async deadline() {
    const client = dial();
    await call(client, 'Unary', ['x']); // so that the next one needs no time to connect
    const { status } = await call(client, 'Unary', ['x'], metadata({ steps: 'hang', name: 'deadline' }), { deadline: Date.now() + 1000 });
    return status;
  },
  async details() {
    const { status } = await call(dial(), 'Unary', ['x'], metadata({ 'details-bin': Buffer.from('0a', 'hex') }));
    return status;
  },
  async gzip() {
    const { got } = await call(dial({}, { 'grpc.default_compression_algorithm': 2 }), 'Bidi', ['x'.repeat(100000), 'y']);
    return got.map((text) => text.length);
  },
  async hedging() {
    const out = {};
    for (const [steps, policy] of [
      ['ok,ok', hedging(3, '10s')], ['hang,ok,ok', hedging(2, '1s')], ['fail:14,fail:14,ok', hedging(3, '10s')],
      ['fail:14:-1,ok', hedging(3, '10s')], ['fail:14:50,ok', hedging(3, '10s')], ['hang,fail:5', hedging(2, '1s')],
      ['fail:14,fail:14', hedging(2, '10s')],
    ]) {
      const { got, status } = await call(dial(policy), 'Unary', ['x'], metadata({ steps, name: steps }));
      out[steps] = got.length ? got[0] : `${status.code}: ${status.text}`;
    }
    return out;
  },
};

cases[name]().then((out) => {
  process.stdout.write(JSON.stringify(out));
  process.exit(0);
});
