// Writes beside each tests/golden/mjml/*.mjml what npm's own mjml prints for it under Node.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import mjml from "mjml";
import { seedRandom } from "./random.js";

const folder = join(dirname(fileURLToPath(import.meta.url)), "../../tests/golden/mjml");
const compile = mjml.default ?? mjml;
for (const name of readdirSync(folder).filter((file) => file.endsWith(".mjml"))) {
  const source = readFileSync(join(folder, name), "utf8");
  seedRandom(source);
  const { html } = await compile(source);
  writeFileSync(join(folder, name.replace(/mjml$/, "html")), html);
  console.log(`${name}: ${html.length} characters`);
}
