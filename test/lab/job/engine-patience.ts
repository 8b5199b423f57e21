import { LabError } from '../command.ts';
import { nodeExec } from '../nodes.ts';
import { NODES } from '../settings.ts';

/**
 * How often the nodes' engines ask for a layer before they give up; undefined for their own five times, 50 s in all.
 * Taken up by a running engine.
 */
export async function setDownloadAttempts(attempts: number | undefined): Promise<void> {
  const file = '/etc/docker/daemon.json';
  for (const { name } of NODES) {
    const present = JSON.parse((await nodeExec(name, `cat ${file}`)).stdout) as Record<string, unknown>;
    delete present['max-download-attempts'];
    const wanted = { ...present, ...(attempts === undefined ? {} : { 'max-download-attempts': attempts }) };
    // The engine says when it has read it, as an event.
    const script = `cat > ${file} && since=$(date +%s) && pkill -HUP -x dockerd &&
      timeout 10 sh -c 'docker events --since "$0" --filter event=reload | head -n 1' "$since" | grep -q reload`;
    const done = await nodeExec(name, script, { input: `${JSON.stringify(wanted, null, 2)}\n` });
    if (done.code !== 0) throw new LabError(`the engine of ${name} does not take up ${file}: ${done.stderr.trim()}`);
  }
}
