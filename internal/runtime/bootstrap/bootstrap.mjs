// Runs a Node.js function: fetches events from the Runtime API and answers them. It
// speaks the protocol with Node's own modules alone. _HANDLER is "folder/file.function".
import http from 'node:http';
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

function call(method, target, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const bytes = body === undefined ? undefined : Buffer.from(body);
    if (bytes) headers['Content-Length'] = bytes.length;
    const request = open(method, target, headers, (response) => {
      const parts = [];
      response.on('data', (p) => parts.push(p));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts) }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(bytes);
  });
}

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
    await call('POST', '/init/error', JSON.stringify(what), { 'Lambda-Runtime-Function-Error-Type': what.errorType });
    process.exit(1);
  }
  for (;;) {
    const { headers, body } = await call('GET', '/invocation/next');
    const id = headers['lambda-runtime-aws-request-id'];
    requestId = id;
    if (headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
    const fail = (error) => {
      const what = document(error);
      console.error('Invoke Error', JSON.stringify({ ...what, trace: undefined, stack: what.trace }));
      return call('POST', `/invocation/${id}/error`, JSON.stringify(what), { 'Lambda-Runtime-Function-Error-Type': what.errorType });
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
      await call('POST', `/invocation/${id}/response`, text, { 'Content-Type': 'application/json' });
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
