// The secrets that the process holds, each as long as an owner of it lives. Logs and errors are scrubbed of them.

const MASK = '***';
// A shorter secret would blank half of the log.
const SHORTEST = 4;

export class Secrets {
  readonly #owners = new Map<unknown, string[]>();
  #spellings: string[] = []; // longest first

  add(owner: unknown, texts: string[]): void {
    this.#owners.set(owner, [...(this.#owners.get(owner) ?? []), ...texts]);
    this.#spell();
  }

  remove(owner: unknown): void {
    if (this.#owners.delete(owner)) this.#spell();
  }

  scrub(text: string): string {
    for (const spelling of this.#spellings) text = text.replaceAll(spelling, MASK);
    return text;
  }

  #spell(): void {
    const all = new Set<string>();
    for (const text of [...this.#owners.values()].flat()) {
      if (text.length < SHORTEST) continue;
      const raw = Buffer.from(text);
      for (const spelling of [
        text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text), new URLSearchParams([['', text]]).toString().slice(1),
        raw.toString('base64'), raw.toString('base64url'),
      ]) all.add(spelling);
    }
    this.#spellings = [...all].sort((one, other) => other.length - one.length);
  }
}

export type Level = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';
const LEVELS: Level[] = ['DEBUG', 'INFO', 'WARNING', 'ERROR'];

/** Lines on standard error, without secrets. */
export class Log {
  constructor(private readonly secrets: Secrets, private readonly level: Level = 'INFO') {}

  say(level: Level, text: string): void {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(this.level)) return;
    process.stderr.write(`${new Date().toISOString()} ${level} ${this.secrets.scrub(text).replaceAll('\n', '\n  ')}\n`);
  }
}
