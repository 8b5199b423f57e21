import { describe, expect, it } from 'vitest';
import { encodeMarker, parseAddresses, parseListening, parseLook } from '../../../src/edge/node/look.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);

function output(...pieces: readonly string[]): Buffer {
  return Buffer.from(`Welcome!\n\0${pieces.map((piece) => `${piece}\0`).join('')}`);
}

describe('parseLook', () => {
  it('reads all sections, whatever a login shell says before', () => {
    const raw = output(
      ...['@hostname', '=node1', '@processors', '=8', '@memory', '=2097152', '@addresses', '=1: lo inet 127.0.0.1/8 x'],
      ...['@modes', '600', './b c/x\ny', '4755', './a', '644', './gone'],
      ...['@digests', `${a}  ./b c/x\ny`, `${b}  ./a`, `${b}  ./came`],
      ...['@room', '=Filesystem 1024-blocks Used Available Capacity Mounted on\nnas: a b 1000 900 96 91% /etc\n'],
      ...['@markers', `=./run.x:${encodeMarker('1\n2')}./.tmp x:"no"\n./bad:{`, '@done'],
    );
    expect(parseLook(raw, '/etc/kolla')).toEqual({
      hostname: 'node1',
      processors: 8,
      memoryMb: 2048,
      addresses: ['127.0.0.1'],
      files: [
        { path: '/etc/kolla/a', sha256: b, mode: '4755' },
        { path: '/etc/kolla/b c/x\ny', sha256: a, mode: '0600' },
      ],
      markers: { 'run.x': '1\n2' },
      room: { folder: '/etc/kolla', kib: 96 },
      listening: [],
    });
  });

  it('does not take half an output for a whole one', () => {
    expect(parseLook(output('@hostname', '=node1'), '/etc/kolla')).toBeUndefined();
    expect(parseLook(Buffer.from('This account is not available\n'), '/etc/kolla')).toBeUndefined();
  });
});

describe('parseAddresses', () => {
  it('reads ip -o addr', () => {
    const text = `1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever
2: eth0    inet 192.0.2.11/24 brd 192.0.2.255 scope global eth0
2: eth0    inet 192.0.2.250/32 scope global eth0
2: eth0    inet6 fe80::42:acff/64 scope link `;
    expect(parseAddresses(text, '')).toEqual(['127.0.0.1', '192.0.2.11', '192.0.2.250', 'fe80::42:acff']);
  });

  it('reads the local routes where there is no such command', () => {
    const text = `Main:
     +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.11
              /32 host LOCAL
fe800000000000003ca533fffee75753 29 40 20 80 eth0
00000000000000000000000000000001 01 80 10 80       lo
`;
    expect(parseAddresses('', text)).toEqual(['127.0.0.1', '192.0.2.11', 'fe80::3ca5:33ff:fee7:5753', '::1']);
  });
});

describe('parseListening', () => {
  it('reads addresses in the kernel’s byte order and only listening sockets', () => {
    const text = `  sl  local_address rem_address   st
   0: 0100007F:6830 00000000:0000 0A 00000000:00000000 00:00000000 00000000   103        0 171 1 000 100 0 0 10 0
   1: 0100007F:6831 0100007F:1F90 01 00000000:00000000
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 172 1 0
   1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 173 1 0
`;
    const id = 'c0ffee00'.repeat(8);
    const owners = `socket:[171] 2:cpu:/docker/${'0'.repeat(64)}/docker/${id}\nsocket:[172] 0::/init.scope\n`;
    expect(parseListening(text, owners)).toEqual([
      { address: '127.0.0.1', port: 26672, owner: id },
      { address: '::', port: 22, owner: 'node' },
      { address: '::ffff:7f00:1', port: 80 },
    ]);
  });
});
