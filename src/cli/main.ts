#!/usr/bin/env node
import { main, outputFor, report } from './program.ts';
import { guardStreams } from './streams.ts';

const argv = process.argv.slice(2);
const output = outputFor(argv);
const finish = guardStreams(process.stdout, process.stderr);
// Node's own way to report these would go past the redaction.
process.on('uncaughtException', (cause) => process.exit(report(cause, argv, output)));

process.exitCode = finish(await main(argv, output));
