// Whole numbers and the curves of JOSE, as plain as they can be: for tests that make signatures that no library makes. Nothing here is
// secret, fast or meant for anything else.

/** The number of big-endian bytes. */
export function numberOf(bytes) {
  return BigInt(`0x0${Buffer.from(bytes).toString('hex')}`)
}

/** So many big-endian bytes of a number, its lowest. */
export function bytesOf(number, length) {
  return Buffer.from(BigInt.asUintN(8 * length, number).toString(16).padStart(2 * length, '0'), 'hex')
}

export const mod = (number, m) => ((number % m) + m) % m

export function power(base, exponent, m) {
  let [result, square] = [1n, mod(base, m)]
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % m
    square = (square * square) % m
  }
  return result
}

/** Modulo a number that it has no factor with. */
export function inverse(number, m) {
  let [r, next] = [m, mod(number, m)]
  let [t, nextT] = [0n, 1n]
  while (next !== 0n) {
    const quotient = r / next
    ;[r, next] = [next, r - quotient * next]
    ;[t, nextT] = [nextT, t - quotient * nextT]
  }
  return mod(t, m)
}

/** A curve y² = x³ − 3x + b (NIST SP 800-186 §3.2.1). A point is [x, y]; nothing stands for that at infinity. */
class Weierstrass {
  #doubles
  constructor(size, p, b, n, base) {
    Object.assign(this, { size, p, b, n, base })
  }

  /** A point with this x, if there is one. */
  at(x) {
    const { p, b } = this
    const square = mod(x * x * x - 3n * x + b, p)
    const y = power(square, (p + 1n) >> 2n, p)
    return (y * y) % p === square ? [x, y] : undefined
  }

  add(one, other) {
    if (one === undefined) return other
    if (other === undefined) return one
    const { p } = this
    const isSame = one[0] === other[0]
    if (isSame && one[1] !== other[1]) return undefined
    const slope = isSame ? (3n * one[0] * one[0] - 3n) * inverse(2n * one[1], p) : (other[1] - one[1]) * inverse(other[0] - one[0], p)
    const x = mod(slope * slope - one[0] - other[0], p)
    return [x, mod(slope * (one[0] - x) - one[1], p)]
  }

  times(scalar, point) {
    let [result, double] = [undefined, point]
    for (let rest = mod(scalar, this.n); rest > 0n; rest >>= 1n) {
      if (rest & 1n) result = this.add(result, double)
      double = this.add(double, double)
    }
    return result
  }

  timesBase(scalar) {
    if (this.#doubles === undefined) {
      this.#doubles = [this.base]
      while (this.#doubles.length < 8 * this.size) this.#doubles.push(this.add(this.#doubles.at(-1), this.#doubles.at(-1)))
    }
    let result
    for (let [rest, at] = [mod(scalar, this.n), 0]; rest > 0n; rest >>= 1n, at += 1) if (rest & 1n) result = this.add(result, this.#doubles[at])
    return result
  }

  /** r and s, by a private key, a nonce and a hash (FIPS 186-5 §6.4.1). */
  sign(d, k, hash) {
    const r = mod(this.timesBase(k)[0], this.n)
    return [r, mod(inverse(k, this.n) * (numberOf(hash) + r * d), this.n)]
  }

  /** The public key by which r and s are right for a hash, where the nonce's point is R (SEC 1 §4.1.6). */
  recover(hash, r, s, R) {
    const one = inverse(r, this.n)
    return this.add(this.times(s * one, R), this.timesBase(-numberOf(hash) * one))
  }
}

export const P256 = new Weierstrass(
  32,
  0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  [0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n, 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n],
)

export const P384 = new Weierstrass(
  48,
  0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
  0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  [
    0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7n,
    0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5fn,
  ],
)

/** edwards25519 (RFC 8032 §5.1), with numbers of bytes from the lowest. */
const P = (1n << 255n) - 19n
const D = mod(-121665n * inverse(121666n, P), P)
/** The order of the base point. */
const L = (1n << 252n) + 27742317777372353535851937790883648493n
const little = (bytes) => numberOf(Buffer.from(bytes).reverse())
const littleBytes = (number) => bytesOf(number, 32).reverse()

const ZERO = [0n, 1n]
const add = ([x1, y1], [x2, y2]) => {
  const product = D * x1 * x2 * y1 * y2
  return [mod((x1 * y2 + x2 * y1) * inverse(1n + product, P), P), mod((y1 * y2 + x1 * x2) * inverse(1n - product, P), P)]
}

function times(scalar, point) {
  let [result, double] = [ZERO, point]
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, double)
    double = add(double, double)
  }
  return result
}

/** The point with this y and the even x, if there is one. */
function at(y) {
  const square = mod((y * y - 1n) * inverse(D * y * y + 1n, P), P)
  let x = power(square, (P + 3n) >> 3n, P)
  if (mod(x * x, P) !== square) x = mod(x * power(2n, (P - 1n) >> 2n, P), P)
  if (mod(x * x, P) !== square) return undefined
  return [x & 1n ? P - x : x, y]
}

const encoded = ([x, y]) => littleBytes(y | ((x & 1n) << 255n))

/** A point of order 8: any point, times L, until it is one. */
function orderEight() {
  for (let y = 3n; ; y += 1n) {
    const point = at(y)
    const found = point && times(L, point)
    if (found && times(4n, found)[1] !== 1n) return found
  }
}

const EIGHT = orderEight()

export const Ed25519 = {
  P,
  L,
  add,
  times,
  base: at(mod(4n * inverse(5n, P), P)),
  little,
  littleBytes,
  encoded,
  /** The eight points of small order. */
  small: Array.from({ length: 8 }, (_, count) => times(BigInt(count), EIGHT)),
}
