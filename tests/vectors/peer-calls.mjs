// Makes peer-calls.json: calls between nodes signed with other people's libraries, and every way to get one wrong.
// npm install http-message-signatures@1.0.6 && node peer-calls.mjs > peer-calls.json   (beside protocol.json)
// The valid messages are signed by that library; the invalid ones are a valid one with one thing changed, signed again by
// node:crypto over a base written out here where the change itself is signed.
import { createHash, createPrivateKey, hkdfSync, sign as edSign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { httpbis } from 'http-message-signatures';

const NOW = 1_767_225_600;
const L = (1n << 252n) + 27742317777372353535851937790883648493n;
const parties = {};
for (const { name, seed, cid, block } of JSON.parse(readFileSync(new URL('protocol.json', import.meta.url))).identities) {
  const key = Buffer.from(hkdfSync('sha256', Buffer.from(seed, 'hex'), '', 'milagro-dta/v1/ed25519', 32));
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), key]);
  parties[name] = { cid, block: Buffer.from(block, 'hex'), key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
}
const { alice, bob, carol } = parties;
const by = (party, text) => edSign(null, Buffer.from(text), party.key);
const digest = (body) => `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
const nonce = (n) => Buffer.alloc(16, n).toString('base64');

const REQUEST = ['@method', '@request-target', 'content-digest', 'dta-to'];
const ANSWER = ['@status', 'content-digest', '@method;req', '@request-target;req', 'dta-to;req', 'signature;req;key="dta"'];
const config = (party, fields, params, n, created) => ({
  key: { id: party.cid, alg: 'ed25519', sign: async (base) => edSign(null, base, party.key) },
  name: 'dta', fields, params,
  paramValues: { created: new Date(created * 1000), nonce: nonce(n), tag: 'milagro-dta-peer' },
});

async function request(name, { method = 'POST', target = '/v1/fulfill/order', body = 'a body', from = alice, to = bob, n = 1,
  fields = REQUEST, params = ['created', 'nonce', 'keyid', 'alg', 'tag'], created = NOW, now = NOW }) {
  const message = { method, url: `http://bob.example${target}`, headers: { 'content-digest': digest(body), 'dta-to': to.cid } };
  const signed = await httpbis.signMessage(config(from, fields, params, n, created), message);
  return { name, kind: 'request', now_s: now, method, target, headers: lines(signed.headers), body };
}

async function answer(name, to, { status = 200, body = 'an answer', from = bob, fields = ANSWER,
  params = ['created', 'keyid', 'alg', 'tag'] }) {
  const asked = { method: to.method, url: `http://bob.example${to.target}`, headers: Object.fromEntries(to.headers) };
  const message = { status, headers: { 'content-digest': digest(body) } };
  const signed = await httpbis.signMessage(config(from, fields, params, 0, NOW), message, asked);
  return { name, kind: 'answer', request: to.name, status, headers: lines(signed.headers), body };
}

const lines = (headers) => Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);

const post = await request('post', {});
const get = await request('get', { method: 'GET', target: '/v1/fulfill/order/deliveries?after=a%20b&x=%2F', body: '', n: 2 });
const refusal = JSON.stringify({ error: 'the order is released', code: 'out-of-state' });
const valid = [
  post, get,
  await request('components in another order', { fields: [...REQUEST].reverse(), n: 3 }),
  await request('parameters in another order', { params: ['tag', 'alg', 'keyid', 'nonce', 'created'], n: 4 }),
  await request('300 seconds ago', { now: NOW + 300, n: 5 }),
  await request('300 seconds ahead', { now: NOW - 300, n: 6 }),
  await request('by another to another', { from: carol, to: alice, n: 7 }),
];
const answers = [
  await answer('answer to post', post, {}),
  await answer('answer to get, empty', get, { status: 204, body: '' }),
  await answer('refusal', post, { status: 409, body: refusal }),
  await answer('answer, components in another order', post, { fields: [...ANSWER].reverse() }),
  await answer('answer, parameters in another order', post, { params: ['alg', 'tag', 'created', 'keyid'] }),
];
valid.push(...answers);

const invalid = [];
const copy = (message) => ({ ...message, headers: message.headers.map((pair) => [...pair]) });
const header = (message, name) => message.headers.find(([found]) => found === name)[1];
function put(message, name, value) {
  message.headers.find(([found]) => found === name)[1] = value;
}
// A valid message with one thing changed.
function bad(reason, base, what, change) {
  const message = copy(base);
  change(message);
  invalid.push({ ...message, name: `${base.name}: ${what}`, reason });
}
const replace = (name, from, to) => (message) => {
  const value = header(message, name);
  if (!value.includes(from)) throw new Error(`${from} is not in ${value}`);
  put(message, name, value.replace(from, to));
};
// Replaces in Signature-Input, and signs the result.
const resigned = (from, to, party) => (message) => {
  replace('signature-input', from, to)(message);
  resign(message, party ?? (message.kind === 'request' ? alice : bob));
};
function resign(message, party, base = written(message)) {
  put(message, 'signature', `dta=:${by(party, base).toString('base64')}:`);
}
// RFC 9421, section 2.5, by hand.
function written(message) {
  const input = header(message, 'signature-input');
  const text = input.slice(input.indexOf('=') + 1);
  const names = text.slice(1, text.indexOf(')')).split(' ').filter((name) => name !== '');
  const of = message.kind === 'request' ? message : post;
  const values = {
    '"@method"': message.method, '"@request-target"': message.target, '"@status"': message.status,
    '"content-digest"': header(message, 'content-digest'),
    '"@method";req': of.method, '"@request-target";req': of.target, '"dta-to";req': bob.cid,
    '"signature";req;key="dta"': header(of, 'signature').slice(4), '"content-type"': 'application/vnd.ipld.car',
  };
  if (message.kind === 'request') values['"dta-to"'] = header(message, 'dta-to');
  return [...names.map((name) => `${name}: ${values[name] ?? ''}`), `"@signature-params": ${text}`].join('\n');
}
if (`dta=:${by(alice, written(post)).toString('base64')}:` !== header(post, 'signature')) {
  throw new Error('the base written by hand is not that of the library');
}

const REPLY = answers[0];
for (const base of [post, REPLY]) {
  for (const [name] of base.headers) {
    bad('peer-header-missing', base, `no ${name}`, (m) => { m.headers = m.headers.filter(([found]) => found !== name); });
    bad('peer-header-doubled', base, `${name} twice`, (m) => m.headers.push([name, header(m, name)]));
    bad('peer-too-long', base, `${name} too long`, (m) => put(m, name, header(m, name) + ' '.repeat(600)));
  }
  for (const name of ['signature', 'signature-input', 'content-digest']) {
    bad('peer-header-not-canonical', base, `${name} with a space before`, (m) => put(m, name, ` ${header(m, name)}`));
    bad('peer-header-not-canonical', base, `${name} with a space after`, (m) => put(m, name, `${header(m, name)} `));
    bad('peer-header-not-canonical', base, `${name} with its member twice`, (m) => put(m, name, `${header(m, name).split('=')[0]}=1, ${header(m, name)}`));
    bad('peer-header-not-canonical', base, `${name} empty`, (m) => put(m, name, ''));
    bad('peer-header-member', base, `${name} with another member too`, (m) => put(m, name, `${header(m, name)}, sig1=:AA==:`));
    bad('peer-header-member', base, `${name} with another member first`, (m) => put(m, name, `sig1=:AA==:, ${header(m, name)}`));
    bad('peer-header-member', base, `${name} under another name`, (m) => put(m, name, `x${header(m, name)}`));
  }
  const input = (reason, what, from, to) => bad(reason, base, what, resigned(from, to));
  input('peer-header-not-canonical', 'a component twice as spelled', '("', '( "');
  input('peer-header-not-canonical', 'created twice', ';created', `;created=${NOW};created`);
  input('peer-header-not-canonical', 'created with a zero before', 'created=', 'created=0');
  input('peer-header-not-canonical', 'a space before a parameter', ';keyid', '; keyid');
  input('peer-header-not-canonical', 'a needless escape', 'milagro', '\\milagro');
  input('peer-header-not-canonical', 'a name with capitals', ';keyid', ';keyID');
  input('peer-components', 'one more component', '"content-digest"', '"content-digest" "content-type"');
  input('peer-components', 'a component twice', '"content-digest"', '"content-digest" "content-digest"');
  input('peer-components', 'a component as a token', '"content-digest"', 'content-digest');
  input('peer-components', 'a component with a parameter', '"content-digest"', '"content-digest";sf');
  input('peer-components', 'a component in capitals', '"content-digest"', '"Content-Digest"');
  input('peer-parameters', 'expires', ';keyid', `;expires=${NOW + 60};keyid`);
  input('peer-parameters', 'a parameter nobody knows', ';keyid', ';more;keyid');
  input('peer-parameter', 'created before 1970', 'created=', 'created=-');
  input('peer-parameter', 'created in parts of a second', `created=${NOW}`, `created=${NOW}.5`);
  input('peer-parameter', 'created as text', `created=${NOW}`, `created="${NOW}"`);
  input('peer-parameter', 'another algorithm', 'alg="ed25519"', 'alg="hmac-sha256"');
  input('peer-parameter', 'the algorithm as a token', 'alg="ed25519"', 'alg=ed25519');
  input('peer-parameter', 'another tag', 'milagro-dta-peer', 'milagro-dta');
  input('peer-parameter', 'keyid of a raw block', /keyid="[a-z0-9]+"/.exec(header(base, 'signature-input'))[0],
    'keyid="bafkreidngrw6oyevlkrbnacgf7pcpbmyk5ug75r2vpkhbozf7mnzfxhjam"');
  input('peer-parameter', 'keyid in capitals', 'keyid="baf', 'keyid="BAF');
  for (const name of ['created', 'keyid', 'alg', 'tag']) {
    const text = new RegExp(`;${name}=("[^"]*"|[0-9]+)`).exec(header(base, 'signature-input'))[0];
    input('peer-parameters', `no ${name}`, text, '');
  }
  const signature = Buffer.from(header(base, 'signature').slice(5, -1), 'base64');
  const spell = (bytes) => `dta=:${bytes.toString('base64')}:`;
  bad('peer-header-value', base, 'a signature of 63 bytes', (m) => put(m, 'signature', spell(signature.subarray(1))));
  bad('peer-header-value', base, 'a signature with a parameter', (m) => put(m, 'signature', `${spell(signature)};x`));
  bad('peer-header-value', base, 'a signature as text', (m) => put(m, 'signature', `dta="${signature.toString('base64')}"`));
  bad('peer-header-not-canonical', base, 'a signature without padding', (m) => put(m, 'signature', spell(signature).replace('==:', ':')));
  bad('peer-header-not-canonical', base, 'a signature with bits to spare', (m) => put(m, 'signature', spell(signature).replace(/.==:$/, 'B==:')));
  bad('peer-header-value', base, 'components that are no list', (m) => put(m, 'signature-input', `dta=${NOW}`));
  bad('peer-header-value', base, 'a digest of 31 bytes', (m) => put(m, 'content-digest', `sha-256=:${Buffer.alloc(31).toString('base64')}:`));
  bad('peer-header-member', base, 'a digest by SHA-512', (m) => put(m, 'content-digest', `sha-512=:${Buffer.alloc(64).toString('base64')}:`));
  bad('peer-header-value', base, 'a digest as text', (m) => put(m, 'content-digest', 'sha-256="x"'));
  bad('peer-signature', base, 'the digest of another body', (m) => put(m, 'content-digest', digest('another')));
  bad('peer-digest', base, 'another body', (m) => { m.body = 'another'; });
  bad('peer-digest', base, 'no body', (m) => { m.body = ''; });
  bad('peer-signature', base, 'components in another order than signed', (m) => {
    const [all, first, second] = /\(("\S+) ("\S+) /.exec(header(m, 'signature-input'));
    replace('signature-input', all, `(${second} ${first} `)(m);
  });
  bad('peer-components', base, 'a component less', resigned('"content-digest" ', ''));
  bad('peer-signature', base, 'parameters in another order than signed', replace('signature-input', ';alg="ed25519";tag="milagro-dta-peer"', ';tag="milagro-dta-peer";alg="ed25519"'));
  bad('peer-signature', base, 'a second later than signed', replace('signature-input', `created=${NOW}`, `created=${NOW + 1}`));
  bad('peer-signature', base, 'signed by Carol', (m) => resign(m, carol));
  bad('peer-signature', base, 'a line end after the base', (m) => resign(m, base === post ? alice : bob, `${written(m)}\n`));
  bad('peer-signature', base, 'the digest signed in place of the base', (m) => resign(m, base === post ? alice : bob, createHash('sha256').update(written(m)).digest()));
  bad('peer-signature', base, 'one bit of R', (m) => put(m, 'signature', spell(Buffer.concat([Buffer.from([signature[0] ^ 1]), signature.subarray(1)]))));
  bad('peer-signature', base, 'S beyond the order of the group', (m) => {
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + L;
    const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
    put(m, 'signature', spell(Buffer.concat([signature.subarray(0, 32), bytes])));
  });
  bad('peer-signature', base, 'zeros', (m) => put(m, 'signature', spell(Buffer.alloc(64))));
}

const asked = (reason, what, change) => bad(reason, post, what, change);
asked('peer-components', 'not the method', resigned('"@method" ', ''));
asked('peer-components', 'not the target', resigned('"@request-target" ', ''));
asked('peer-components', 'not the addressee', resigned(' "dta-to"', ''));
asked('peer-components', 'path in place of target', resigned('"@request-target"', '"@path"'));
asked('peer-components', 'nothing at all', resigned('"@method" "@request-target" "content-digest" "dta-to"', ''));
asked('peer-components', 'a component of the request in a request', resigned('"@method"', '"@method";req'));
asked('peer-parameters', 'no nonce', resigned(`;nonce="${nonce(1)}"`, ''));
asked('peer-parameter', 'a nonce of 15 bytes', resigned(nonce(1), Buffer.alloc(15, 1).toString('base64')));
asked('peer-parameter', 'a nonce of 17 bytes', resigned(nonce(1), Buffer.alloc(17, 1).toString('base64')));
asked('peer-parameter', 'a nonce without padding', resigned(nonce(1), nonce(1).replace('==', '')));
asked('peer-parameter', 'a nonce as bytes', resigned(`"${nonce(1)}"`, `:${nonce(1)}:`));
asked('peer-parameter', 'a nonce with bits to spare', resigned(nonce(1), nonce(1).replace('Q==', 'R==')));
asked('peer-header-value', 'to nobody', (m) => { put(m, 'dta-to', 'bob'); resign(m, alice); });
asked('peer-header-value', 'to a raw block', (m) => { put(m, 'dta-to', 'bafkreidngrw6oyevlkrbnacgf7pcpbmyk5ug75r2vpkhbozf7mnzfxhjam'); resign(m, alice); });
asked('peer-header-value', 'to a CID in capitals', (m) => { put(m, 'dta-to', bob.cid.toUpperCase()); resign(m, alice); });
asked('peer-signature', 'to another than signed', (m) => put(m, 'dta-to', carol.cid));
asked('peer-signature', 'another method', (m) => { m.method = 'PUT'; });
asked('peer-signature', 'another target', (m) => { m.target = '/v1/fulfill/order/secret'; });
asked('peer-signature', 'a query more', (m) => { m.target += '?x'; });
asked('peer-too-long', 'a long target', (m) => { m.target = `/${'x'.repeat(2048)}`; resign(m, alice); });
asked('peer-signature', 'another nonce than signed', replace('signature-input', nonce(1), nonce(9)));
asked('peer-signature', 'as Carol, signed by Alice', resigned(alice.cid, carol.cid));
asked('peer-unknown-caller', 'by nobody known', resigned(alice.cid, 'bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'));
asked('peer-created', '301 seconds ago', (m) => { m.now_s = NOW + 301; });
asked('peer-created', '301 seconds ahead', (m) => { m.now_s = NOW - 301; });
asked('peer-created', 'far ahead', resigned(`created=${NOW}`, 'created=999999999999999'));
asked('peer-created', 'in 1970', resigned(`created=${NOW}`, 'created=0'));
asked('peer-signature', 'long ago, and by somebody else', (m) => { m.now_s = NOW + 999; resign(m, carol); });
asked('peer-signature', 'the signature of another request', (m) => put(m, 'signature', header(get, 'signature')));

const told = (reason, what, change) => bad(reason, REPLY, what, change);
for (const part of ['"@method";req', '"@request-target";req', '"dta-to";req']) told('peer-components', `not bound to ${part}`, resigned(`${part} `, ''));
told('peer-components', 'not bound to the signature', resigned(' "signature";req;key="dta"', ''));
told('peer-components', 'bound to a signature, not the one', resigned('"signature";req;key="dta"', '"signature";req;key="sig"'));
told('peer-components', 'bound to its own method', resigned('"@method";req', '"@method"'));
told('peer-components', 'not the status', resigned('"@status" ', ''));
told('peer-parameters', 'a nonce', resigned(';keyid', `;nonce="${nonce(1)}";keyid`));
told('peer-signature', 'another status', (m) => { m.status = 201; });
told('peer-signature', 'the answer to another request', (m) => { m.request = get.name; });
told('peer-other-signer', 'signed by Alice as herself', resigned(bob.cid, alice.cid, alice));
told('peer-signature', 'signed by Alice as Bob', (m) => resign(m, alice));

const about = 'Calls between nodes (section 7 of docs/protocol.md). Identities are those of protocol.json. Each message has a method and target, or a status and the name of the request it answers; headers in order; a body in text. The invalid ones give the reason by its stable name.';
const hex = (list) => list.map((message) => JSON.stringify(message)).join(',\n');
console.log(`{\n"about": ${JSON.stringify(about)},\n"valid": [\n${hex(valid)}\n],\n"invalid": [\n${hex(invalid)}\n]\n}`);
