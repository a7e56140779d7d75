// `node grokweb/bundle.mjs FOLDER ENTRY…`: the collected modules of FOLDER as few files, below FOLDER/bundle.
//
// Each ENTRY is a module of FOLDER/js that a page begins with. What it imports at once comes with it; what it
// imports later (`import(…)`) stays a file of its own. bundle/pages.json says which files a page asks for first.
import { writeFileSync } from "node:fs";
import path from "node:path";

const [folder, ...entries] = process.argv.slice(2);
const outdir = path.join(folder, "bundle");

/** Which file holds what; one line and the end where it can not be done. */
async function bundled(options) {
  try {
    const { build } = await import("esbuild");
    return (await build(options)).metafile;
  } catch (error) {
    console.log((error.errors?.[0]?.text ?? error.message).split("\n")[0]);
    process.exit(1);
  }
}

const metafile = await bundled({
  absWorkingDir: folder,
  entryPoints: entries.map((name) => path.join("js", name)),
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  alias: { grokweb: path.join(folder, "js"), vendor: path.join(folder, "vendor") },
  entryNames: "[name].[hash]",
  chunkNames: "[name].[hash]",
  metafile: true,
  logLevel: "silent",
});

/** The file and all that its static imports reach, itself first. */
function reached(file, seen = new Set()) {
  seen.add(file);
  for (const { path: next, kind } of metafile.outputs[file].imports) {
    if (kind === "import-statement" && !seen.has(next)) reached(next, seen);
  }
  return [...seen];
}

const pages = {};
for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
  const name = entryPoint && path.posix.relative("js", entryPoint);
  if (entries.includes(name)) pages[name] = reached(file).map((each) => path.posix.relative("bundle", each));
}
const files = Object.keys(metafile.outputs).map((each) => path.posix.relative("bundle", each)).sort();
writeFileSync(path.join(outdir, "pages.json"), JSON.stringify({ pages, files }));
