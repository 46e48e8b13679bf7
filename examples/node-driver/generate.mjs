// Copies the contract to protos/, which the program reads at its start, and makes TypeScript's types of it.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const checkout = `${here}../../protos`;
if (existsSync(checkout)) {
  rmSync(`${here}protos`, { recursive: true, force: true });
  for (const folder of ['delphis/type', 'delphis/driver', 'google']) {
    cpSync(`${checkout}/${folder}`, `${here}protos/${folder}`, { recursive: true });
  }
}
const sources = readdirSync(`${here}protos`, { recursive: true }).filter((name) => name.endsWith('.proto'));
rmSync(`${here}src/contract`, { recursive: true, force: true });
execFileSync(process.execPath, [
  `${here}node_modules/@grpc/proto-loader/build/bin/proto-loader-gen-types.js`,
  '--keepCase', '--longs=String', '--enums=String', '--oneofs', '--grpcLib=@grpc/grpc-js',
  '--importFileExtension=.js', `--includeDirs=${here}protos`, `--outDir=${here}src/contract`, ...sources,
], { stdio: 'inherit', cwd: `${here}protos` });
