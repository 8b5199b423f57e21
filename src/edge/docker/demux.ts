/** One piece of output of a container without a terminal. */
interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Buffer;
}

/**
 * Splits the engine's multiplexed output (8 bytes of header: stream, three zeros, length). What does not look
 * like it, as from a container with a terminal, is taken as stdout.
 */
function frames(raw: Buffer): Frame[] {
  const result: Frame[] = [];
  let offset = 0;
  while (offset < raw.length) {
    const stream = raw[offset];
    const header = raw.length - offset >= 8 && raw.readUIntBE(offset + 1, 3) === 0;
    if (!header || (stream !== 0 && stream !== 1 && stream !== 2)) {
      result.push({ stream: 'stdout', data: raw.subarray(offset) });
      break;
    }
    const end = offset + 8 + raw.readUInt32BE(offset + 4);
    result.push({ stream: stream === 2 ? 'stderr' : 'stdout', data: raw.subarray(offset + 8, end) });
    offset = end;
  }
  return result;
}

/** stdout and stderr apart, as text. */
export function demux(raw: Buffer): { stdout: string; stderr: string } {
  const pick = (stream: Frame['stream']): string =>
    Buffer.concat(frames(raw).flatMap((frame) => (frame.stream === stream ? [frame.data] : []))).toString('utf8');
  return { stdout: pick('stdout'), stderr: pick('stderr') };
}

/** Both streams in the order in which they were written, as text. */
export function interleaved(raw: Buffer): string {
  return Buffer.concat(frames(raw).map((frame) => frame.data)).toString('utf8');
}
