import type { Socket } from 'node:net';

/** What went over a socket; see SshCounters. */
export interface WireCount {
  readonly bytes: number;
  readonly roundTrips: number;
}

/** Counts on a connected socket. To be called once its reader listens: an earlier listener would take the first data. */
export function countWire(socket: Socket): () => WireCount {
  // TCP's own handshake.
  let roundTrips = 1;
  let written = 0;
  socket.on('data', () => {
    if (socket.bytesWritten > written) roundTrips += 1;
    written = socket.bytesWritten;
  });
  return () => ({ bytes: socket.bytesRead + socket.bytesWritten, roundTrips });
}
