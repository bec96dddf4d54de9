// A certificate authority for a test, made by openssl: keys and certificates in a folder that goes away.

import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** A folder with authorities and what they issue. */
export function certificates(t) {
  const folder = mkdtempSync(join(tmpdir(), 'hostbound-ca-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = (name) => join(folder, name)
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const read = (name) => readFileSync(path(name))
  return {
    path,
    read,
    authority(name) {
      openssl('req', '-x509', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2', '-subj', `/CN=${name}`,
        '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign',
        // Only names tell who issued what.
        '-addext', 'subjectKeyIdentifier=none', '-addext', 'authorityKeyIdentifier=none')
    },
    /** A certificate and its key, each in a file and both in `name.both.pem`. */
    issue(name, authority, subjectAltName) {
      openssl('req', '-new', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
      writeFileSync(path(`${name}.ext`), `subjectAltName=${subjectAltName}\nauthorityKeyIdentifier=none\n`)
      openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial',
        '-out', `${name}.pem`, '-days', '1', '-extfile', `${name}.ext`)
      writeFileSync(path(`${name}.both.pem`), Buffer.concat([read(`${name}.pem`), read(`${name}.key`)]))
    },
    pin(name) {
      const spki = new X509Certificate(read(`${name}.pem`)).publicKey.export({ type: 'spki', format: 'der' })
      return `sha256/${createHash('sha256').update(spki).digest('base64')}`
    },
  }
}
