/** A repository behind the real `icepkg repo serve`, in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { program } from '../cli/icepkg.ts';

export interface ServedRepository {
  readonly url: string;
  /** Ends on SIGTERM. */
  readonly server: ChildProcess;
}

export async function serveRepository(folder: string): Promise<ServedRepository> {
  const server = spawn(process.execPath, program('repo', 'serve', folder, '--port', '0'), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    server.on('close', () => reject(new Error(`icepkg repo serve ended: ${text}`)));
    server.stdout.on('data', (part: Buffer) => {
      text += part.toString();
      const address = /http:\/\/\S+/.exec(text)?.[0];
      if (address !== undefined) resolve(address);
    });
  });
  return { url, server };
}
