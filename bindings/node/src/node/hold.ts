import { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'

/** What became of a body that was waited for. */
export type Held =
  /** All of it is here. `release` hands it to the stream, for whoever reads next: to be called just before. */
  | { readonly kind: 'whole'; readonly body: Uint8Array; readonly release: () => void }
  /** There is more than the limit; what follows is dropped. */
  | { readonly kind: 'too-large'; readonly body: Uint8Array }
  /** The end has not come in time; what follows is dropped. */
  | { readonly kind: 'late' }
  /** Too much is held already; what follows is dropped. */
  | { readonly kind: 'no-room' }
  /** The other end has gone. */
  | { readonly kind: 'gone' }

/** How many bytes all the bodies that a guard holds may have together. */
export class Room {
  #used = 0

  /** Takes up room, if there is that much below the limit. */
  take(bytes: number, limit: number): boolean {
    if (this.#used + bytes > limit) return false
    this.#used += bytes
    return true
  }

  /** Gives it back. */
  free(bytes: number): void {
    this.#used -= bytes
  }
}

/** What a body may take up. */
export interface Bounds {
  /** Its bytes. */
  readonly limit: number
  /** The milliseconds until its end. */
  readonly timeout: number
  /** Takes up room for so many bytes more, if there is room. Whoever waits gives it back. */
  readonly take: (bytes: number) => boolean
}

/** True if something has read from the stream already: its body cannot be judged any more. */
export function isRead(stream: Readable): boolean {
  return stream.readableDidRead || stream.readableEncoding !== null
}

/** True if nobody is there any more to answer: of what a request, a stream of HTTP/2 or a socket stands for. */
export function isGone(carrier: Readable): boolean {
  // A request of HTTP/1 that was read to its end is destroyed as well: then its socket tells.
  if (carrier instanceof IncomingMessage) return carrier.socket.destroyed || (carrier.destroyed && !carrier.readableEnded)
  // A stream of HTTP/2 that was reset is closed before it is destroyed.
  return carrier.destroyed || carrier.closed
}

/**
 * Waits for the whole body of a message without taking it away from whoever reads the message afterwards. What the connection
 * delivers is kept, not buffered in the stream, until all of it is here: then it is handed to the stream as it came.
 *
 * INVARIANT: at most `limit` bytes and one chunk are kept.
 */
export async function hold(stream: Readable, { limit, timeout, take: makeRoom }: Bounds): Promise<Held> {
  // What came before the guard was asked, as behind other middleware, is in the stream's buffer already, and stays there.
  const early = bufferedIn(stream)
  const chunks: Uint8Array[] = []
  let length = early.length
  return new Promise((resolve) => {
    const settle = (held: Held): void => {
      clearTimeout(timer)
      stream.off('close', onGone)
      stream.off('error', onGone)
      resolve(held)
    }
    const onGone = (): void => settle({ kind: 'gone' })
    stream.on('close', onGone)
    stream.on('error', onGone)

    const timer = setTimeout(() => {
      drop()
      settle({ kind: 'late' })
    }, timeout)

    const { push } = stream
    const give = (chunk: unknown, encoding?: BufferEncoding): boolean => Reflect.apply(push, stream, [chunk, encoding]) as boolean
    // Nobody reads it: let it run out.
    const drop = (): void => {
      chunks.length = 0
      Object.defineProperty(stream, 'push', { configurable: true, writable: true, value: (rest: unknown) => (rest === null ? give(null) : true) })
    }
    const take = (chunk: unknown): boolean => {
      if (chunk === null) {
        // Node also ends what was reset or cut off: that is no end of a body.
        if (isCutOff(stream)) {
          Reflect.deleteProperty(stream, 'push')
          give(null)
          stream.resume()
          onGone()
          return false
        }
        // The end, too, is told when there is somebody to hear it.
        const release = (): void => {
          Reflect.deleteProperty(stream, 'push')
          for (const kept of chunks) give(kept)
          give(null)
        }
        settle({ kind: 'whole', body: Buffer.concat([early, ...chunks], length), release })
        return false
      }
      const bytes = chunk as Uint8Array
      length += bytes.length
      if (length > limit) {
        const body = Buffer.concat([early, ...chunks, bytes], length)
        drop()
        settle({ kind: 'too-large', body })
        return true
      }
      if (!makeRoom(bytes.length)) {
        drop()
        settle({ kind: 'no-room' })
        return true
      }
      chunks.push(bytes)
      return true
    }

    if (length > limit) {
      settle({ kind: 'too-large', body: early })
      return
    }
    if (!makeRoom(length)) {
      settle({ kind: 'no-room' })
      return
    }
    if (hasEnded(stream)) {
      settle(isCutOff(stream) ? { kind: 'gone' } : { kind: 'whole', body: early, release: nothing })
      return
    }
    Object.defineProperty(stream, 'push', { configurable: true, writable: true, value: take })
    // Asks for data, and takes none: `read` would not ask if the buffer is full.
    stream._read(0)
  })
}

/** What a stream of Node keeps, of which there is no public view that reads nothing: reading shows (`readableDidRead`). */
interface ReadableState {
  /** A list, or an array of which the first have been taken. */
  readonly buffer: Iterable<Uint8Array | null>
  readonly ended: boolean
}

function stateOf(stream: Readable): ReadableState {
  return (stream as Readable & { readonly _readableState: ReadableState })._readableState
}

/** A copy of what is in the buffer of a stream. */
function bufferedIn(stream: Readable): Uint8Array {
  const bytes = Buffer.concat([...stateOf(stream).buffer].filter((chunk) => chunk !== null))
  if (bytes.length !== stream.readableLength) throw new Error('the buffer of the stream cannot be seen')
  return bytes
}

/** The stream has it already. */
function nothing(): void {}

/** True if the stream has been told of its end, even though nobody has read up to it. */
function hasEnded(stream: Readable): boolean {
  return stateOf(stream).ended
}

/** True if the end of the stream is not that of the body. */
function isCutOff(stream: Readable): boolean {
  return isGone(stream) || (stream instanceof IncomingMessage && !stream.complete)
}
