import { nodeExec } from '../nodes.ts';
import { NODES, type NodeName } from '../settings.ts';

/**
 * What a run leaves on a node, in lines that two runs which did the same have in common: containers with what they
 * were made from, files, markers, what each load balancer thinks of its servers. No ids, run names or times.
 */
const script = `
docker ps -a --no-trunc --format '{{.Names}} {{.State}} {{.Label "deploy.image-digest"}} {{.Label "deploy.config-hash"}} {{.Label "deploy.spec-hash"}}' | sed 's/^/container /' | sort
cd /etc/kolla
find . -path ./.deploy -prune -o -type f -exec sha256sum {} + | sed 's/^/file /' | sort -k 3
find .deploy/staging -mindepth 1 | sed 's/^/staging /'
cd .deploy/markers
for marker in *; do
  case $marker in
    made.*|loaded.*) echo "marker $marker" ;;
    *) echo "marker $marker $(cat "$marker")" ;;
  esac
done
ls /run/deploy | grep -v -x -e busy -e lock | sed 's/^/lock /'
echo 'show servers state' | nc -U -N /var/lib/docker/volumes/haproxy_socket/_data/haproxy.sock |
  awk 'NR > 2 && NF > 6 { print "server", $2, $4, "op", $6, "admin", $7 }' | sort
`;

export type LabState = Readonly<Record<NodeName, readonly string[]>>;

export async function labState(): Promise<LabState> {
  const states = await Promise.all(
    NODES.map(async ({ name }) => {
      const seen = await nodeExec(name, script);
      return [name, seen.stdout.split('\n').filter((line) => line !== '')] as const;
    }),
  );
  return Object.fromEntries(states) as unknown as LabState;
}

/** Lines that only one of two states has, `node2: - line` and `node2: + line`. */
export function stateDifferences(before: LabState, after: LabState): readonly string[] {
  return NODES.flatMap(({ name }) => {
    const gone = before[name].filter((line) => !after[name].includes(line));
    const come = after[name].filter((line) => !before[name].includes(line));
    return [...gone.map((line) => `${name}: - ${line}`), ...come.map((line) => `${name}: + ${line}`)];
  });
}
