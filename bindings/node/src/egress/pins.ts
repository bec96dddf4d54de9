import { createHash, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'

/** The longest chain that is followed. */
const MAX_CHAIN = 16

/**
 * The pins (RFC 7469 §2.4) of the server's certificate and of its issuers, as `sha256/` and base64.
 *
 * Every link is verified: a certificate that the server merely sent along, with the name of the issuer but not its key, adds no
 * pin.
 */
export function presentedPins(socket: TLSSocket): string[] {
  const pins: string[] = []
  let next = socket.getPeerCertificate(true)
  let subject: X509Certificate | undefined
  // Node closes a chain with the root as its own issuer; without a peer the certificate is empty.
  while (next?.raw !== undefined && pins.length < MAX_CHAIN) {
    const certificate = new X509Certificate(next.raw)
    if (subject !== undefined) {
      if (subject.fingerprint256 === certificate.fingerprint256) break
      if (!subject.checkIssued(certificate) || !subject.verify(certificate.publicKey)) break
    }
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
    pins.push(`sha256/${createHash('sha256').update(spki).digest('base64')}`)
    subject = certificate
    next = next.issuerCertificate
  }
  return pins
}
