// A JavaScript IPFS node (Helia) that a test drives: one line of JSON in, one line of JSON out.
// Arguments: the file with the swarm key, and the addresses to dial. The first line it prints is its own address.
import { createBitswap } from '@helia/bitswap'
import { Helia } from '@helia/utils'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import * as dagCbor from '@ipld/dag-cbor'
import { identify } from '@libp2p/identify'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { MemoryDatastore } from 'datastore-core'
import { createLibp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

// What the packages take for granted and Node.js has only from version 19, and 22, on.
globalThis.CustomEvent ??= class extends Event {
  constructor (type, { detail, ...init } = {}) {
    super(type, init)
    this.detail = detail
  }
}
Promise.withResolvers ??= function () {
  const parts = {}
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }))
  return parts
}

const [swarmKey, ...peers] = process.argv.slice(1)
const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionProtector: preSharedKey({ psk: readFileSync(swarmKey) }),
  // Loopback is where this test is; by default no such address is dialled.
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify() }
})

// Bitswap with whoever is connected, and nothing that would look for others.
function broker (components) {
  const bitswap = createBitswap(components)
  return {
    start: () => bitswap.start(),
    stop: () => bitswap.stop(),
    retrieve: (cid, options) => bitswap.want(cid, options),
    announce: (cid, block, options) => bitswap.notify(cid, block, options)
  }
}

const helia = new Helia({
  libp2p,
  blockstore: new MemoryBlockstore(),
  datastore: new MemoryDatastore(),
  blockBrokers: [broker],
  routers: []
})
await helia.start()

const get = (cid, timeoutMs) => helia.blockstore.get(cid, { signal: AbortSignal.timeout(timeoutMs) })
const hex = (bytes) => Buffer.from(bytes).toString('hex')

const commands = {
  dial: async ({ peer }) => { await libp2p.dial(multiaddr(peer), { signal: AbortSignal.timeout(5_000) }); return true },
  get: async ({ cid, timeoutMs }) => hex(await get(CID.parse(cid), timeoutMs)),
  put: async ({ codec, bytes }) => {
    const block = Buffer.from(bytes, 'hex')
    const cid = CID.createV1(codec, await sha256.digest(block))
    await helia.blockstore.put(cid, block)
    return cid.toString()
  },
  // From an envelope back to the first, by the links alone.
  follow: async ({ cid, timeoutMs }) => {
    const steps = []
    for (let next = CID.parse(cid); next != null;) {
      const { statement } = dagCbor.decode(await get(next, timeoutMs))
      steps.push({ cid: next.toString(), kind: statement.kind, signer: statement.signer?.toString() ?? null })
      next = CID.asCID(statement.previous)
    }
    return steps
  }
}

const say = (line) => console.log(JSON.stringify(line))
for (const peer of peers) await commands.dial({ peer })
say(libp2p.getMultiaddrs()[0].toString())
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line)
  try {
    say({ ok: await commands[command](given) })
  } catch (error) {
    say({ error: String(error) })
  }
}
await helia.stop()
process.exit(0)
