/** How a member gets the data it lacks, as far as its own log tells. */
export type Transfer =
  /** The transactions it missed, by number; `done` of them have arrived. */
  | { readonly kind: 'IST'; readonly from: string; readonly to: string; readonly done?: number | undefined }
  /** A copy of everything. */
  | { readonly kind: 'SST'; readonly donor?: string | undefined }
  /** One of them: until the donor has answered the member prepares for both. */
  | { readonly kind: 'requested'; readonly donor?: string | undefined };

/** Where a member says that what follows is about another transfer. */
const begins = /State transfer required|starting as process|Recovered position/;

/** The transfer that is under way by the lines of a member's log; undefined when there is none, or it is over. */
export function transferOf(lines: readonly string[]): Transfer | undefined {
  let transfer: Transfer | undefined;
  let donor: string | undefined;
  for (const line of lines) {
    if (begins.test(line)) transfer = undefined;
    donor = /Selected \S+ \(([^)]+)\)/.exec(line)?.[1] ?? donor;
    const ist = /Receiving IST: \d+ writesets, seqnos (\d+)-(\d+)/.exec(line);
    const [, from = '', to = ''] = ist ?? [];
    if (ist) transfer = { kind: 'IST', from, to };
    const part = /Receiving IST\.* *[\d.]+% *\( *(\d+)\/ *\d+ events\)/.exec(line);
    if (part && transfer?.kind === 'IST') transfer = { ...transfer, done: Number(part[1]) };
    if (/wsrep_sst_\w+ .*--role 'joiner'/.test(line)) transfer = { kind: 'requested' };
    // MariaDB 10.11 and 11.8: wsrep_sst_mariabackup on the member, when the donor sends no 'xtrabackup_ist'.
    if (/Proceeding with SST/.test(line)) transfer = { kind: 'SST' };
    if (/IST received: |SST received: |Synchronized with group/.test(line)) transfer = undefined;
  }
  return transfer === undefined || transfer.kind === 'IST' ? transfer : { ...transfer, donor };
}

/** `IST of 31 to 90: 12 of 60 transactions`, `SST from node2: 512 MB so far`. */
export function transferWords(transfer: Transfer, megabytes: string): string {
  if (transfer.kind !== 'IST') {
    const from = transfer.donor === undefined ? '' : ` from ${transfer.donor}`;
    return transfer.kind === 'SST' ? `SST${from}: ${megabytes} MB so far` : `asks for a state transfer${from}`;
  }
  const { from, to, done } = transfer;
  const all = BigInt(to) - BigInt(from) + 1n;
  return `IST of ${from} to ${to}: ${done === undefined ? `${all} transactions` : `${done} of ${all} transactions`}`;
}
