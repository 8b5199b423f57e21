#!/usr/bin/env node
import { main } from './program.ts';

// A consumer that goes away (`| head`) ends the output, not the run.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EPIPE') throw cause;
  });
}

process.exitCode = await main(process.argv.slice(2));
