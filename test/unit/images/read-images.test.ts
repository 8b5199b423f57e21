import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readProgress } from '../../../src/edge/docker/build-progress.ts';
import { readImages } from '../../../src/edge/store/read-images.ts';

describe('readImages', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'images-'));
    await mkdir(join(root, 'magnum/images/magnum-api/conf.d'), { recursive: true });
    await mkdir(join(root, 'magnum/templates'));
    await mkdir(join(root, 'heat'));
    await writeFile(join(root, 'magnum/images/magnum-api/Dockerfile.hbs'), 'FROM x\n');
    await writeFile(join(root, 'magnum/images/magnum-api/start.sh'), '#!/bin/sh\n');
    await chmod(join(root, 'magnum/images/magnum-api/start.sh'), 0o700);
    await writeFile(join(root, 'magnum/images/magnum-api/conf.d/a'), 'a');
    await chmod(join(root, 'magnum/images/magnum-api/conf.d/a'), 0o600);
  });
  afterEach(() => rm(root, { recursive: true }));

  it('reads the template, and the other files with the modes git would keep', async () => {
    const result = await readImages(root);
    expect(result).toMatchObject({
      value: [
        {
          service: 'magnum',
          name: 'magnum-api',
          dockerfile: { text: 'FROM x\n', file: 'services/magnum/images/magnum-api/Dockerfile.hbs' },
          context: [
            { path: 'conf.d/a', mode: 0o644 },
            { path: 'start.sh', mode: 0o755 },
          ],
        },
      ],
    });
  });

  it('reports a folder without a Dockerfile and files that are not regular', async () => {
    await mkdir(join(root, 'magnum/images/empty'));
    await symlink('a', join(root, 'magnum/images/magnum-api/link'));
    const result = await readImages(root);
    expect(result.diagnostics.map((d) => `${d.at?.file} ${d.message}`).sort()).toEqual([
      'services/magnum/images/empty the image folder has no Dockerfile.hbs',
      'services/magnum/images/magnum-api/link only regular files can be part of a build context',
    ]);
  });
});

describe('readProgress', () => {
  async function read(text: string, size: number) {
    const bytes = Buffer.from(text);
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    const lines: string[] = [];
    const progress = await readProgress(Readable.from(chunks), (line) => lines.push(line));
    return { progress, lines };
  }

  it.each([1, 3, 1000])('puts lines together from chunks of %i bytes, without colours', async (size) => {
    const messages = [
      { stream: 'Step 1/2 : RUN écho\n' },
      { stream: '\u001B[91mred' },
      { stream: ' words\u001B[0m\nnext' },
      { status: 'Pushing', id: 'abc', progressDetail: { current: 1 } },
      { aux: { ID: 'sha256:i' } },
      { aux: { Digest: 'sha256:d' } },
    ];
    const { progress, lines } = await read(messages.map((m) => `${JSON.stringify(m)}\r\n`).join(''), size);
    expect(lines).toEqual(['Step 1/2 : RUN écho', 'red words', 'next']);
    expect(progress).toEqual({ id: 'sha256:i', digest: 'sha256:d', lines });
  });

  it('keeps the last lines and the step they belong to', async () => {
    const output = Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join('');
    const { progress } = await read(
      `${JSON.stringify({ stream: 'Step 1/1 : RUN x\n' })}\n${JSON.stringify({ stream: output })}\n{"error":"bad"}`,
      64,
    );
    expect(progress.error).toBe('bad');
    expect(progress.lines[0]).toBe('Step 1/1 : RUN x');
    expect(progress.lines.at(-1)).toBe('line 99');
    expect(progress.lines).toHaveLength(41);
  });
});
