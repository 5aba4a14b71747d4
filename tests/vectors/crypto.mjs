// Makes crypto.json with other people's libraries: what the package dta-crypto must reproduce bit for bit.
// npm install @noble/curves@2.4.0 @noble/post-quantum@0.7.1 @noble/hashes@2.4.0 @noble/ciphers@2.4.0 @scure/bip32@2.4.0
//   @scure/bip39@2.4.0 @hpke/core@1.9.0 @hpke/hybridkem-x-wing@0.7.0 && node crypto.mjs > crypto.json
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { schnorr, secp256k1 } from '@noble/curves/secp256k1.js';
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { hkdf, extract, expand } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex as hex, concatBytes as join, utf8ToBytes as text } from '@noble/hashes/utils.js';
import { gcm } from '@noble/ciphers/aes.js';
import { HDKey } from '@scure/bip32';
import { entropyToMnemonic, mnemonicToSeedSync } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';

const derive = (ikm, info, bytes) => hkdf(sha256, ikm, new Uint8Array(), info, bytes);
const purpose = (seed, name) => derive(seed, text(`milagro-dta/v1/${name}`), 32);

const R = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
function blsKeyGen(ikm) { // draft-irtf-cfrg-bls-signature-05, section 2.3, key_info empty
  const salt = sha256(text('BLS-SIG-KEYGEN-SALT-'));
  const okm = expand(sha256, extract(sha256, join(ikm, new Uint8Array(1)), salt), new Uint8Array([0, 48]), 48);
  const scalar = BigInt(`0x${hex(okm)}`) % R;
  return Uint8Array.from(scalar.toString(16).padStart(64, '0').match(/../g), (b) => parseInt(b, 16));
}

const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
const bls = bls12_381.shortSignatures;
const blsSign = (secret, message, dst) => bls.Signature.toBytes(bls.sign(bls.hash(message, dst), secret));
const SIGN = 'BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_';
const PROVE = 'BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_';

function walletKey(entropy) {
  const root = HDKey.fromMasterSeed(mnemonicToSeedSync(entropyToMnemonic(entropy, wordlist)));
  return root.derive("m/44'/0'/0'/0/0").privateKey;
}

function bip340(secret, tag, data) {
  const t = sha256(text(tag));
  return schnorr.sign(sha256(join(t, t, data)), secret, new Uint8Array(32));
}

function identity(fill) {
  const seed = new Uint8Array(32).fill(fill);
  const message = text(`message ${fill}`);
  const blsKey = blsKeyGen(purpose(seed, 'bls'));
  const blsPublic = bls.getPublicKey(blsKey).toBytes();
  const kem = ml_kem768_x25519.keygen(purpose(seed, 'kem')).publicKey;
  const dsa = ml_dsa65.keygen(purpose(seed, 'ml-dsa'));
  const wallet = walletKey(purpose(seed, 'secp256k1'));
  const edKey = purpose(seed, 'ed25519');
  return {
    kem,
    facts: {
      seed: hex(seed),
      message: hex(message),
      bls: hex(blsPublic),
      bls_proof: hex(blsSign(blsKey, blsPublic, PROVE)),
      bls_signature: hex(blsSign(blsKey, message, SIGN)),
      ml_dsa: hex(dsa.publicKey),
      ml_dsa_signature: hex(ml_dsa65.sign(message, dsa.secretKey)),
      kem: hex(kem),
      secp256k1: hex(secp256k1.getPublicKey(wallet)),
      secp256k1_signature: hex(bip340(wallet, 'milagro-dta/v1/identity', message)),
      ed25519: hex(ed25519.getPublicKey(edKey)),
      ed25519_signature: hex(ed25519.sign(message, edKey)),
    },
  };
}

const identities = [1, 2, 3].map(identity);

const contentKey = new Uint8Array(32).fill(7);
const cid = (n) => join(Uint8Array.of(1, 0x71, 0x12, 0x20), new Uint8Array(32).fill(n));
const plaintext = text('the plaintext of a sealed body');
const aad = text('associated data');
const body = derive(contentKey, text('milagro-dta/v1/body'), 64);
const to = [];
for (const [index, who] of identities.entries()) {
  const ends = join(cid(1), cid(index + 1));
  const context = await suite.createSenderContext({
    recipientPublicKey: await suite.kem.deserializePublicKey(who.kem),
    info: join(text('milagro-dta/v1/hpke\0'), Uint8Array.of(1), ends),
    ekm: derive(contentKey, join(text('milagro-dta/v1/encap\0'), ends), 64),
  });
  to.push(hex(join(new Uint8Array(context.enc), new Uint8Array(await context.seal(contentKey)))));
}

console.log(JSON.stringify({
  note: 'Made by crypto.mjs beside this file. Sealed by the first identity to all three; the CIDs in binary are 01711220 and 32 times 01, 02, 03.',
  hosted_seed: hex(derive(new Uint8Array(32).fill(1), join(text('milagro-dta/v1/hosted/'), new Uint8Array(16).fill(9)), 32)),
  order: { seed: '08'.repeat(32), secret: hex(walletKey(new Uint8Array(32).fill(8))) },
  identities: identities.map((who) => who.facts),
  sealed: {
    content_key: hex(contentKey),
    plaintext: hex(plaintext),
    aad: hex(aad),
    ciphertext: hex(gcm(body.slice(0, 32), new Uint8Array(12), aad).encrypt(plaintext)),
    commit: hex(body.slice(32)),
    to: to.sort(),
  },
}, null, 1));
