/** Content of single files of a package, piece by piece, in bounded memory. */
import type { Frame, RegularFile } from '../manifest.ts';
import { corrupt } from './open.ts';
import { readFrame, type FrameSource } from './verify.ts';

/** Frames that are kept decoded: files next to each other are read one after the other. */
const KEPT_FRAMES = 4;

export class PackageContents {
  readonly #source: FrameSource;
  readonly #frames: readonly Frame[];
  readonly #decoded = new Map<number, Uint8Array>();

  /** @param frames as the manifest lists them */
  constructor(source: FrameSource, frames: readonly Frame[]) {
    this.#source = source;
    this.#frames = frames;
  }

  /**
   * Fills `room` with the content of a file from `start` on.
   * @throws IcepkgError `package-corrupt`
   */
  read(file: RegularFile, start: number, room: Uint8Array): void {
    let frame = (file.frame ?? 1) - 1;
    let at = (file.offset ?? 0) + start;
    for (let done = 0; done < room.length; frame++) {
      const size = this.#frames[frame]?.uncompressedSize;
      if (size === undefined) throw corrupt(this.#source.what, `${file.path} ends behind the last frame`);
      if (at < size) {
        const piece = this.#decode(frame).subarray(at, at + room.length - done);
        room.set(piece, done);
        done += piece.length;
      }
      at = Math.max(0, at - size);
    }
  }

  #decode(index: number): Uint8Array {
    const known = this.#decoded.get(index);
    if (known !== undefined) return known;
    const frame = this.#frames[index];
    if (frame === undefined) throw corrupt(this.#source.what, 'a file is in a frame that is not there');
    const bytes = readFrame(this.#source, frame);
    for (const oldest of this.#decoded.keys()) {
      if (this.#decoded.size < KEPT_FRAMES) break;
      this.#decoded.delete(oldest);
    }
    this.#decoded.set(index, bytes);
    return bytes;
  }
}
