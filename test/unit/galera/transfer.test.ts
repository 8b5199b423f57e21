import { expect, test } from 'vitest';
import { transferOf, transferWords } from '../../../src/core/galera/transfer.ts';

const begun = [
  '2026-01-01 10:00:00 0 [Note] Starting MariaDB 10.11.19-MariaDB source revision  as process 35',
  '2026-01-01 10:00:01 8 [Note] WSREP: State transfer required:',
  "2026-01-01 10:00:01 0 [Note] WSREP: Member 1.0 (node2) requested state transfer from '*any*'. Selected 2.0 (node3)(SYNCED) as donor.",
];

test('what it missed, by number, and how much of it has come', () => {
  const ist = [...begun, '2026-01-01 10:00:02 0 [Note] WSREP: Receiving IST: 60 writesets, seqnos 31-90'];
  expect(transferOf(ist)).toEqual({ kind: 'IST', from: '31', to: '90' });
  const some = transferOf([
    ...ist,
    '2026-01-01 10:00:02 0 [Note] WSREP: Receiving IST...  20.0% (12/60 events) complete.',
  ]);
  expect(some && transferWords(some, '300')).toBe('IST of 31 to 90: 12 of 60 transactions');
  expect(transferOf([...ist, '2026-01-01 10:00:03 2 [Note] WSREP: IST received: 383dffc4:90'])).toBeUndefined();
});

test('a copy of everything, from whom, and how much there is by now', () => {
  const sst =
    "2026-01-01 10:00:01 0 [Note] WSREP: Running: 'wsrep_sst_mariabackup --role 'joiner' --address '10.0.0.2:4444'";
  const asked = transferOf([sst, ...begun.slice(2)]);
  expect(asked && transferWords(asked, '512')).toBe('asks for a state transfer from node3');
  const transfer = transferOf([
    sst,
    ...begun.slice(2),
    'WSREP_SST: [INFO] Proceeding with SST (20260101 10:00:02.390)',
  ]);
  expect(transfer && transferWords(transfer, '512')).toBe('SST from node3: 512 MB so far');
  expect(transferOf([sst, 'WSREP: SST received: 383dffc4:90'])).toBeUndefined();
});

test('a request that is answered with the missed transactions was never one for everything', () => {
  const ist = 'WSREP: Receiving IST: 60 writesets, seqnos 31-90';
  expect(
    transferOf([...begun, "wsrep_sst_mariabackup --role 'joiner'", 'WSREP: SST received: 383dffc4:30', ist]),
  ).toEqual({ kind: 'IST', from: '31', to: '90' });
});

test('a transfer before the last start is not this one', () => {
  expect(transferOf(['WSREP: Receiving IST: 60 writesets, seqnos 31-90', ...begun])).toBeUndefined();
  expect(transferOf(['mariadbd: ready for connections'])).toBeUndefined();
});
