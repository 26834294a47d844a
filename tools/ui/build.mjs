// Copies the few front-end files that the pages need into web/static/vendor, with a manifest of
// their sha256 and the notices. `npm run build` writes, `npm run check` compares and writes nothing.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const vendor = join(here, "../../web/static/vendor");
const check = process.argv.includes("--check");
const icons = JSON.parse(readFileSync(join(here, "icons.json"), "utf8"));

// @tabler/core has no licence file in its package; this is the text its README and repository name.
const tablerLicence = readFileSync(join(here, "licences/tabler-core.txt"), "utf8");

const sets = [
  {
    name: "tabler-core", npm: "@tabler/core", licence: "MIT", licenceText: tablerLicence,
    files: { "tabler.min.css": "dist/css/tabler.min.css" },
  },
  { name: "htmx", npm: "htmx.org", licence: "0BSD", files: { "htmx.min.js": "dist/htmx.min.js" } },
  {
    name: "source-sans-3", npm: "@fontsource-variable/source-sans-3", licence: "OFL-1.1",
    files: Object.fromEntries(
      ["latin", "latin-ext", "greek", "cyrillic"].map((script) => [
        `${script}.woff2`, `files/source-sans-3-${script}-wght-normal.woff2`,
      ]),
    ),
  },
  {
    name: "altcha", npm: "altcha", licence: "MIT",
    files: {
      "altcha.min.js": "dist/external/altcha.min.js", "altcha.css": "dist/external/altcha.css",
      "pbkdf2.js": "dist/workers/pbkdf2.js", "de.js": "dist/i18n/de.js",
    },
  },
  {
    name: "tabler-icons", npm: "@tabler/icons", licence: "MIT",
    files: { "icons.json": drawings },
  },
];

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const text = /\.(css|js|svg)$/;

// A source map is a second address that browsers' tools fetch; ours has none.
function clean(path, bytes) {
  if (!text.test(path)) return bytes;
  let body = bytes.toString("utf8");
  body = body.replace(/\n?\/[/*][#@] sourceMappingURL=[^\n*]*(\*\/)?/g, "");
  if (path.endsWith(".svg")) body = body.replace(/<!--[\s\S]*?-->\s*/g, "");
  return Buffer.from(body.trimEnd() + "\n");
}

// One file of all drawings: what stands between <svg> and </svg>, without the empty frame.
function drawings(root) {
  const inner = (icon) => readFileSync(join(root, `icons/outline/${icon}.svg`), "utf8")
    .replace(/^[\s\S]*?<svg[^>]*>/, "").replace("</svg>", "")
    .replace(/<path stroke="none" d="M0 0h24v24H0z"[^>]*>/, "").replace(/\s*\n\s*/g, "");
  return Buffer.from(JSON.stringify(Object.fromEntries(icons.map((icon) => [icon, inner(icon)])), null, 1) + "\n");
}

const wanted = new Map();
const manifest = [];
const notices = ["Front-end files that Postroom ships, each as published, without its source-map comment.\n"];
for (const set of sets) {
  const root = join(modules, set.npm);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const folder = `${set.name}-${version}`;
  const licenceText = (set.licenceText ?? readFileSync(join(root, existsSync(join(root, "LICENSE")) ? "LICENSE" : "LICENSE.txt"), "utf8")).replaceAll("\r\n", "\n");
  const files = {};
  for (const [to, from] of Object.entries(set.files)) {
    const bytes = typeof from === "string" ? clean(to, readFileSync(join(root, from))) : from(root);
    wanted.set(`${folder}/${to}`, bytes);
    files[to] = sha256(bytes);
  }
  manifest.push({ name: set.name, package: set.npm, version, licence: set.licence, folder, files });
  notices.push(`${"=".repeat(78)}\n${set.npm} ${version} (${set.licence})\n\n${licenceText.trim()}\n`);
}
// The accessibility checker is for our tests only, so it lies with them and is not shipped.
const checker = join(modules, "axe-core");
wanted.set("../../../tests/browser/axe/axe.min.js", clean("axe.min.js", readFileSync(join(checker, "axe.min.js"))));
wanted.set("../../../tests/browser/axe/LICENSE", readFileSync(join(checker, "LICENSE")));
wanted.set("vendor.lock.json", Buffer.from(JSON.stringify(manifest, null, 1) + "\n"));
wanted.set("THIRD_PARTY_NOTICES.txt", Buffer.from(notices.join("\n")));

function listed(folder, prefix = "") {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? listed(join(folder, entry.name), `${prefix}${entry.name}/`) : [prefix + entry.name]);
}

if (check) {
  const differing = [...wanted].filter(([path, bytes]) =>
    !existsSync(join(vendor, path)) || !readFileSync(join(vendor, path)).equals(bytes)).map(([path]) => path);
  const strangers = listed(vendor).filter((path) => !wanted.has(path));
  for (const path of [...differing, ...strangers]) console.error(`differs: ${path}`);
  process.exit(differing.length + strangers.length ? 1 : 0);
}
rmSync(vendor, { recursive: true, force: true });
for (const [path, bytes] of wanted) {
  mkdirSync(dirname(join(vendor, path)), { recursive: true });
  writeFileSync(join(vendor, path), bytes);
}
console.log(`${wanted.size} files`);
