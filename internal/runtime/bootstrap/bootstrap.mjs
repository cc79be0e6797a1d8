// Runs a Node.js function: fetches events from the Runtime API and answers them. It
// speaks the protocol with Node's own modules alone. _HANDLER is "folder/file.function".
import http from 'node:http';
import net from 'node:net';
import fs from 'node:fs';
import path from 'node:path';
import util from 'node:util';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const base = '/2018-06-01/runtime';
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function open(method, target, headers, done) {
  return http.request({ host, port, method, path: base + target, headers, agent }, done);
}

// Connection is one connection to the Runtime API, made again when it was lost. It stands
// between every call and its answer, so it speaks as little HTTP as the Runtime API needs,
// which always declares the length of its bodies.
class Connection {
  buffer = Buffer.alloc(0);

  async connect() {
    this.buffer = Buffer.alloc(0);
    const socket = net.connect({ host, port: Number(port), noDelay: true });
    await new Promise((resolve, reject) => { socket.once('connect', resolve); socket.once('error', reject); });
    socket.on('error', () => {}); // the end tells
    socket.on('data', (part) => {
      this.buffer = this.buffer.length ? Buffer.concat([this.buffer, part]) : part;
      this.parse();
    });
    socket.on('close', () => {
      if (this.socket === socket) this.socket = undefined;
      this.waiting?.reject(new Error('the Runtime API closed the connection'));
    });
    this.socket = socket;
  }

  // parse answers who waits, once an answer is complete.
  parse() {
    if (!this.waiting) return;
    if (this.need && this.buffer.length < this.need) return;
    const end = this.buffer.indexOf('\r\n\r\n');
    if (end < 0) return;
    const headers = {};
    for (const line of this.buffer.toString('utf8', 0, end).split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    this.need = end + 4 + Number(headers['content-length'] || 0);
    if (this.buffer.length < this.need) return;
    const body = this.buffer.subarray(end + 4, this.need);
    this.buffer = this.buffer.subarray(this.need);
    this.need = 0;
    const { resolve } = this.waiting;
    this.waiting = undefined;
    resolve({ headers, body });
  }

  receive() {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject: (error) => { this.waiting = undefined; this.need = 0; reject(error); } };
      this.parse();
    });
  }

  // post reports something. What follows then is sent in the same breath.
  async post(target, body, errorType = '', then = '') {
    if (!this.socket) await this.connect();
    const bytes = Buffer.from(body);
    // Names of failures may be anything; a header may not.
    const extra = errorType && `Lambda-Runtime-Function-Error-Type: ${String(errorType).replace(/[^!-~]/g, '?')}\r\n`;
    const head = `POST ${base}${target} HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Type: application/json\r\nContent-Length: ${bytes.length}\r\n${extra}\r\n`;
    this.socket.write(Buffer.concat([Buffer.from(head), bytes, Buffer.from(then)]));
    await this.receive();
  }

  // next waits for an event, and asks for it unless that was done.
  async next(asked) {
    for (;;) {
      if (!this.socket) {
        await this.connect();
        asked = false;
      }
      if (!asked) this.socket.write(askNext);
      try {
        return await this.receive();
      } catch {
        asked = false;
      }
    }
  }
}

const askNext = `GET ${base}/invocation/next HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`;
const api = new Connection();

// Lines of the console carry the time, the call and the level, as in Lambda.
let requestId = 'undefined';
for (const [method, level] of [['log', 'INFO'], ['info', 'INFO'], ['debug', 'DEBUG'], ['warn', 'WARN'], ['error', 'ERROR'], ['trace', 'TRACE']]) {
  console[method] = (...args) => {
    const text = util.format(...args).replaceAll('\n', '\r');
    fs.writeSync(1, `${new Date().toISOString()}\t${requestId}\t${level}\t${text}\n`);
  };
}

// document describes what was thrown, which need not be an Error.
function document(error) {
  if (error instanceof Error) {
    return { errorType: error.name, errorMessage: error.message, trace: (error.stack || '').split('\n') };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function named(name, message) {
  const error = new Error(message);
  error.name = name;
  error.stack = `${name}: ${message}`;
  return error;
}

const streaming = Symbol('streaming');

// What functions that stream their answer use.
globalThis.awslambda = {
  streamifyResponse(handler) {
    handler[streaming] = true;
    return handler;
  },
  HttpResponseStream: {
    from(stream, metadata) {
      stream.setContentType('application/vnd.awslambda.http-integration-response');
      stream.write(JSON.stringify(metadata));
      stream.write(Buffer.alloc(8));
      return stream;
    },
  },
};

async function load(name) {
  const split = /^(.*\/)?([^/.]+)\.(.+)$/.exec(name);
  if (!split) throw named('Runtime.MalformedHandlerName', `Bad handler: ${name}`);
  const [, dir = '', file, members] = split;
  const stem = path.resolve(process.env.LAMBDA_TASK_ROOT, dir, file);
  const found = ['', '.js', '.mjs', '.cjs'].map((e) => stem + e).find((p) => fs.existsSync(p) && fs.statSync(p).isFile());
  if (!found) throw named('Runtime.ImportModuleError', `Error: Cannot find module '${file}'`);
  let module;
  try {
    module = found.endsWith('.cjs') ? createRequire(import.meta.url)(found) : await import(pathToFileURL(found).href);
  } catch (error) {
    if (error instanceof SyntaxError) throw named('Runtime.UserCodeSyntaxError', String(error));
    if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND') {
      throw named('Runtime.ImportModuleError', String(error));
    }
    throw error;
  }
  const reach = (from) => members.split('.').reduce((value, member) => value?.[member], from);
  const handler = reach(module) ?? reach(module.default);
  if (handler === undefined) throw named('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw named('Runtime.HandlerNotFound', `${name} is not a function`);
  return handler;
}

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const client = headers['lambda-runtime-client-context'];
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    clientContext: client ? JSON.parse(client) : undefined,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

// run calls a handler of any style: async, or with a callback.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    const callback = (error, value) => (error ? reject(error) : resolve(value));
    context.done = callback;
    context.succeed = (value) => resolve(value);
    context.fail = (error) => reject(error);
    const value = handler(event, context, callback);
    if (value && typeof value.then === 'function') {
      value.then(resolve, reject);
    } else if (handler.length < 3) {
      resolve(value);
    }
  });
}

// stream lets a handler write its answer as it goes. A failure after the first byte is
// told in trailers.
async function stream(handler, event, context, id) {
  let settled;
  const answered = new Promise((resolve, reject) => { settled = { resolve, reject }; });
  const request = open('POST', `/invocation/${id}/response`, {
    'Lambda-Runtime-Function-Response-Mode': 'streaming',
    'Transfer-Encoding': 'chunked',
    'Trailer': 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    'Content-Type': 'application/octet-stream',
  }, (response) => { response.resume(); response.on('end', settled.resolve); });
  request.on('error', settled.reject);
  request.setContentType = (type) => { if (!request.headersSent) request.setHeader('Content-Type', type); };
  try {
    await handler(event, request, context);
    if (!request.writableEnded) request.end();
  } catch (error) {
    const body = Buffer.from(JSON.stringify(document(error))).toString('base64');
    request.addTrailers({ 'Lambda-Runtime-Function-Error-Type': document(error).errorType, 'Lambda-Runtime-Function-Error-Body': body });
    request.end();
  }
  await answered;
}

async function main() {
  let handler;
  try {
    handler = await load(process.env._HANDLER);
  } catch (error) {
    const what = document(error);
    console.error('Uncaught Exception', JSON.stringify({ ...what, stack: what.trace }));
    await api.post('/init/error', JSON.stringify(what), what.errorType);
    process.exit(1);
  }
  for (let asked = false; ;) {
    const { headers, body } = await api.next(asked);
    asked = false;
    const id = headers['lambda-runtime-aws-request-id'];
    requestId = id;
    if (headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
    const fail = (error) => {
      const what = document(error);
      console.error('Invoke Error', JSON.stringify({ ...what, trace: undefined, stack: what.trace }));
      asked = true;
      return api.post(`/invocation/${id}/error`, JSON.stringify(what), what.errorType, askNext);
    };
    try {
      const event = JSON.parse(body.toString());
      const context = contextOf(headers);
      if (handler[streaming]) {
        await stream(handler, event, context, id);
        continue;
      }
      const value = await run(handler, event, context);
      let text;
      try {
        text = JSON.stringify(value === undefined ? null : value) ?? 'null';
      } catch (error) {
        throw named('Runtime.MarshalError', `Unable to stringify response body: ${error.message}`);
      }
      // Whoever answers asks for the next event: one message fewer for each call.
      asked = true;
      await api.post(`/invocation/${id}/response`, text, '', askNext);
    } catch (error) {
      await fail(error);
    }
  }
}

process.on('unhandledRejection', (error) => {
  console.error('Unhandled Promise Rejection', JSON.stringify(document(error)));
  process.exit(128);
});
process.on('uncaughtException', (error) => {
  console.error('Uncaught Exception', JSON.stringify(document(error)));
  process.exit(129);
});
main();
