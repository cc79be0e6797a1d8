// The part of a Gatehouse SDK that is the same for every API: it puts a request together, signs
// it where the method asks for a signature, sends it with fetch, and reads the answer. It runs
// in browsers and in Node.js 18 or later, and depends on nothing else.

/** An answer with a status outside 200 to 299. */
export class ApiError extends Error {
  constructor(response) {
    super(`${response.status} ${response.statusText}`.trim());
    this.name = 'ApiError';
    this.status = response.status;
    this.headers = response.headers;
    this.data = response.data;
  }
}

const unreserved = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

/** Puts values into the variables of a path; a greedy variable keeps its slashes. */
function expand(path, params) {
  return path.replace(/\{([^{}+]+)(\+?)\}/g, (_, name, greedy) => {
    const value = params[name];
    if (value === undefined || value === null || value === '') {
      throw new TypeError(`the path parameter ${name} is missing`);
    }
    return greedy ? String(value).split('/').map(unreserved).join('/') : unreserved(String(value));
  });
}

function queryString(pairs) {
  const out = [];
  for (const [name, value] of pairs) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) out.push([unreserved(name), unreserved(String(one))]);
    }
  }
  return out;
}

const utf8 = new TextEncoder();

const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, '0')).join('');

async function sha256(data) {
  return hex(await crypto.subtle.digest('SHA-256', typeof data === 'string' ? utf8.encode(data) : data));
}

async function hmac(key, text) {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, utf8.encode(text)));
}

/** Signature version 4 for the service execute-api: adds the headers that carry it. */
async function sign({ method, url, query, headers, body, credentials, region, now }) {
  const stamp = now.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = stamp.slice(0, 8);
  headers['x-amz-date'] = stamp;
  if (credentials.sessionToken) headers['x-amz-security-token'] = credentials.sessionToken;
  const signed = { host: url.host, 'x-amz-date': stamp };
  if (credentials.sessionToken) signed['x-amz-security-token'] = credentials.sessionToken;
  const names = Object.keys(signed).sort();
  const canonical = [
    method,
    url.pathname.split('/').map(unreserved).join('/'),
    query.map((p) => p.join('=')).sort().join('&'),
    ...names.map((n) => `${n}:${String(signed[n]).trim()}`),
    '',
    names.join(';'),
    await sha256(body ?? ''),
  ].join('\n');
  const scope = `${day}/${region}/execute-api/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', stamp, scope, await sha256(canonical)].join('\n');
  let key = utf8.encode('AWS4' + credentials.secretKey);
  for (const part of [day, region, 'execute-api', 'aws4_request']) key = await hmac(key, part);
  const signature = hex(await hmac(key, text));
  headers.Authorization =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
}

export class Client {
  #config;

  /** @param config see newClient of the generated module; defaults come from there. */
  constructor(config) {
    this.#config = { fetch: (...args) => globalThis.fetch(...args), now: () => new Date(), ...config };
  }

  /**
   * Calls one method. operation is {method, path, iam, apiKey, parameters: {name: place}};
   * params gives declared parameters by name, more gives {headers, queryParams} beside them.
   */
  async call(operation, params = {}, body, more = {}) {
    const config = this.#config;
    const headers = {};
    const pairs = [];
    for (const [name, place] of Object.entries(operation.parameters)) {
      const value = params[name];
      if (value === undefined || value === null) continue;
      if (place === 'header') headers[name] = String(value);
      if (place === 'querystring') pairs.push([name, value]);
    }
    pairs.push(...Object.entries(more.queryParams ?? {}));
    Object.assign(headers, more.headers ?? {});
    const has = (name) => Object.keys(headers).some((h) => h.toLowerCase() === name);
    if (config.apiKey && !has('x-api-key')) headers['x-api-key'] = config.apiKey;
    if (!has('accept')) headers.Accept = config.defaultAcceptType ?? 'application/json';

    let payload;
    if (body !== undefined && body !== null && operation.method !== 'GET' && operation.method !== 'HEAD') {
      const raw = typeof body === 'string' || body instanceof ArrayBuffer || ArrayBuffer.isView(body);
      payload = raw ? body : JSON.stringify(body);
      if (!has('content-type')) headers['Content-Type'] = config.defaultContentType ?? 'application/json';
    }
    const query = queryString(pairs);
    const target = config.invokeUrl.replace(/\/+$/, '') + expand(operation.path, params);
    const url = new URL(query.length ? `${target}?${query.map((p) => p.join('=')).join('&')}` : target);
    if (operation.iam) {
      if (!config.accessKey || !config.secretKey) {
        throw new TypeError(`${operation.method} ${operation.path} must be signed: give accessKey and secretKey`);
      }
      await sign({ method: operation.method, url, query, headers, body: payload, credentials: config, region: config.region, now: config.now() });
    }
    const response = await config.fetch(url.href, { method: operation.method, headers, body: payload });
    const text = await response.text();
    let data = text;
    if (/\bjson\b/.test(response.headers.get('content-type') ?? '') && text !== '') {
      try {
        data = JSON.parse(text);
      } catch {
        data = text; // the answer says JSON and is none
      }
    }
    const answer = { status: response.status, statusText: response.statusText, headers: response.headers, data };
    if (!response.ok) throw new ApiError(answer);
    return answer;
  }
}
