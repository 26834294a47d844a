// Bundles mjml-browser, cheerio and Buffer into one script, with a sha256 manifest and every licence.
// Output: campaigns/templates/vendor/. Run: npm ci --ignore-scripts && npm run build
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../../campaigns/templates/vendor");
mkdirSync(out, { recursive: true });
const version = JSON.parse(readFileSync(join(here, "node_modules/mjml-browser/package.json"))).version;
const script = `mjml-${version}.js`;

const { metafile } = await esbuild.build({
  absWorkingDir: here,
  entryPoints: ["entry.js"],
  inject: ["shims.js"],
  outfile: join(out, script),
  bundle: true,
  minify: true,
  platform: "browser",
  format: "iife",
  target: "es2020",
  charset: "ascii",
  legalComments: "none",
  metafile: true,
  define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
});

// mjml-browser is itself a bundle: what it was made of is its dependency tree.
const names = new Set();
const walk = (name, from) => {
  let folder = from;
  while (folder !== dirname(folder) && !existsSync(join(folder, "node_modules", name))) folder = dirname(folder);
  const path = join(folder, "node_modules", name);
  if (!existsSync(path) || names.has(path)) return;
  names.add(path);
  const { dependencies = {} } = JSON.parse(readFileSync(join(path, "package.json")));
  for (const dependency of Object.keys(dependencies)) walk(dependency, path);
};
for (const input of Object.keys(metafile.inputs)) {
  const match = input.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//);
  if (match) names.add(join(here, match[1]));
}
walk("mjml-browser", here);
for (const name of readdirSync(join(here, "node_modules")).filter((name) => /^mjml-(?!cli|migrate)/.test(name))) walk(name, here);

const seen = new Set();
const packages = [...names]
  .map((path) => ({ path, ...JSON.parse(readFileSync(join(path, "package.json"))) }))
  .filter(({ name, version }) => !/^(mjml-cli|mjml-migrate|mjml)$/.test(name) && !seen.has(`${name} ${version}`) && seen.add(`${name} ${version}`))
  .map((item) => ({ ...item, licence: item.license?.type ?? item.license }))
  .sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));

const texts = new Map();
for (const { path, name, version, licence, author } of packages) {
  const file = readdirSync(path).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  const holder = typeof author === "string" ? author : (author?.name ?? `the authors of ${name}`);
  const text = file
    ? readFileSync(join(path, file), "utf8").replaceAll("\r\n", "\n").trim()
    : `${licence} licence, by ${holder}. The package carries no licence file.`;
  texts.set(text, [...(texts.get(text) ?? []), `${name} ${version} (${licence})`]);
}
const rule = "=".repeat(78);
const notices = [...texts].map(([text, titles]) => `${rule}\n${titles.join("\n")}\n${rule}\n\n${text}\n`);
const head = `The script ${script} beside this file is built from the packages below by tools/mjml/build.mjs.\n`;
writeFileSync(join(out, "THIRD_PARTY_NOTICES.txt"), `${head}\n${notices.join("\n")}`);

const lock = JSON.parse(readFileSync(join(here, "package-lock.json"))).packages;
const sha256 = (file) => createHash("sha256").update(readFileSync(join(out, file))).digest("hex");
const manifest = {
  made_by: "tools/mjml/build.mjs",
  files: Object.fromEntries([script, "THIRD_PARTY_NOTICES.txt"].map((file) => [file, { sha256: sha256(file) }])),
  packages: packages.map(({ path, name, version, licence }) => ({
    name,
    version,
    licence,
    integrity: lock[path.slice(here.length + 1)]?.integrity,
  })),
};
writeFileSync(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
console.log(`${script}: ${readFileSync(join(out, script)).length} bytes, ${packages.length} packages`);
