import { describe, expect, it } from 'vitest';
import { DeployError } from '../../../src/core/model/diagnostic.ts';
import type { ContainerSpec } from '../../../src/core/model/node.ts';
import { Secret } from '../../../src/core/model/secret.ts';
import { demux, interleaved } from '../../../src/edge/docker/demux.ts';
import { createBody } from '../../../src/edge/docker/spec.ts';
import { healthFromStatus } from '../../../src/edge/docker/status.ts';

const spec: ContainerSpec = {
  name: 'heat_api',
  image: { repository: 'registry:5000/ns/heat-api', tag: 'zed', digest: `sha256:${'0'.repeat(64)}` },
  environment: { A: '1', PASSWORD: new Secret('hidden') },
  volumes: ['/etc/kolla/heat-api/:/var/lib/kolla/config_files/:ro', 'kolla_logs:/var/log/kolla/'],
  privileged: false,
  capAdd: ['NET_ADMIN'],
  pidMode: 'host',
  healthcheck: { test: 'true', interval: 30, timeout: 0.5, retries: 3, startPeriod: 5 },
  dimensions: {
    mem_limit: '1g',
    mem_reservation: 1024,
    memswap_limit: '-1',
    cpu_period: 100000,
    cpu_quota: '50000',
    cpu_shares: 512,
    cpuset_cpus: '0-1, 3',
    cpuset_mems: 0,
    pids_limit: 100,
    blkio_weight: 300,
    ulimits: { nofile: { soft: 512, hard: 1024 }, nproc: 64 },
  },
  restart: 'unless-stopped',
};

describe('createBody', () => {
  it('maps everything, and reveals secrets only here', () => {
    expect(createBody(spec, { 'deploy.container': 'heat_api' })).toEqual({
      name: 'heat_api',
      Image: 'registry:5000/ns/heat-api:zed',
      Env: ['A=1', 'PASSWORD=hidden'],
      Labels: { 'deploy.container': 'heat_api' },
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 3e10, Timeout: 5e8, StartPeriod: 5e9, Retries: 3 },
      HostConfig: {
        Binds: spec.volumes,
        NetworkMode: 'host',
        Privileged: false,
        CapAdd: ['NET_ADMIN'],
        PidMode: 'host',
        RestartPolicy: { Name: 'unless-stopped' },
        Memory: 2 ** 30,
        MemoryReservation: 1024,
        MemorySwap: -1,
        CpuPeriod: 100000,
        CpuQuota: 50000,
        CpuShares: 512,
        CpusetCpus: '0-1,3',
        CpusetMems: '0',
        PidsLimit: 100,
        BlkioWeight: 300,
        Ulimits: [
          { Name: 'nofile', Soft: 512, Hard: 1024 },
          { Name: 'nproc', Soft: 64, Hard: 64 },
        ],
      },
    });
  });

  it('names every dimension that does not fit', () => {
    const dimensions = { mem_limt: 1, cpu_quota: 'much', ulimits: { nofile: { soft: 1 } }, mem_limit: '1 apple' };
    let thrown: unknown;
    try {
      createBody({ ...spec, dimensions }, {});
    } catch (problem) {
      thrown = problem;
    }
    if (!(thrown instanceof DeployError)) throw new Error('no DeployError');
    expect(thrown.exit).toBe(3);
    expect(thrown.diagnostics).toHaveLength(4);
    expect(thrown.diagnostics[0]?.hint).toContain('mem_limit');
  });
});

describe('healthFromStatus', () => {
  it.each([
    ['Up 3 minutes (healthy)', 'healthy'],
    ['Up 3 minutes (unhealthy)', 'unhealthy'],
    ['Up 1 second (health: starting)', 'starting'],
    ['Up 2 hours', 'none'],
    ['Up 2 hours (Paused)', 'none'],
    ['Exited (137) 3 days ago', 'none'],
    ['Created', 'none'],
    ['Restarting (1) 5 seconds ago', 'none'],
  ])('%s: %s', (status, health) => {
    expect(healthFromStatus(status)).toBe(health);
  });
});

describe('demux', () => {
  const frame = (stream: number, text: string): Buffer => {
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };

  it('separates streams, also where a character is cut between frames', () => {
    const [first, second] = [Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)];
    const cut = [first, second].map((part) => Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 1]), part]));
    const raw = Buffer.concat([frame(1, 'a\n'), frame(2, 'b\n'), ...cut, frame(1, '')]);
    expect(demux(raw)).toEqual({ stdout: 'a\né', stderr: 'b\n' });
    expect(interleaved(raw)).toBe('a\nb\né');
  });

  it('takes raw output of a terminal as it is', () => {
    expect(demux(Buffer.from('plain text'))).toEqual({ stdout: 'plain text', stderr: '' });
    expect(interleaved(Buffer.alloc(0))).toBe('');
  });
});
