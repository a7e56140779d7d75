// `node grokweb/bundle.mjs FOLDER ENTRY…`: the collected modules of FOLDER as few files, below FOLDER/bundle.
//
// Each ENTRY is a module of FOLDER/js/pages that a page begins with. What it imports at once comes with it;
// what it imports later (`import(…)`) stays a file of its own. bundle/pages.json has the files that each page
// asks for first.
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import path from "node:path";

const [given, ...entries] = process.argv.slice(2);
const folder = realpathSync(given); // esbuild resolves links
const ours = path.join(folder, "js") + path.sep;
const outdir = path.join(folder, "bundle");

/** Returns esbuild's list of what each file holds. Prints one line and ends where it cannot be done. */
async function bundled(options) {
  try {
    const { build } = await import("esbuild");
    return (await build(options)).metafile;
  } catch (error) {
    console.log((error.errors?.[0]?.text ?? error.message).split("\n")[0]);
    return process.exit(1);
  }
}

const optionsFor = (entry) => ({
  absWorkingDir: folder,
  entryPoints: [path.join("js", "pages", entry)],
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

/** Our modules that are imported later, as paths. */
function lateModules({ inputs }) {
  const late = Object.values(inputs).flatMap((each) => each.imports)
    .filter(({ kind }) => kind === "dynamic-import")
    .map((each) => path.resolve(folder, each.path));
  return new Set(late.filter((file) => file.startsWith(ours)));
}

/**
 * Lets each late module import the page's own, which is loaded by then. Otherwise esbuild writes a small file
 * for each combination of late modules that share something with the page, and the first view asks for all.
 */
const oneSharedFile = (entry, late) => ({
  name: "one shared file",
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path: file }) => {
      if (!late.has(file)) return undefined;
      const contents = `${readFileSync(file, "utf8")}\nimport "grokweb/pages/${entry}";\n`;
      return { contents, loader: "js" };
    });
  },
});

/** Bundles a page by itself: modules that two pages share would otherwise be files of their own on both. */
async function outputsOf(entry) {
  const options = optionsFor(entry);
  const late = lateModules(await bundled({ ...options, write: false }));
  return (await bundled({ ...options, plugins: [oneSharedFile(entry, late)] })).outputs;
}

/** Returns the file and all that its static imports reach, itself first. */
function reached(outputs, file, seen = new Set()) {
  seen.add(file);
  for (const { path: next, kind } of outputs[file].imports) {
    if (kind === "import-statement" && !seen.has(next)) reached(outputs, next, seen);
  }
  return [...seen];
}

const nameOf = (file) => path.posix.relative("bundle", file);
const pages = {};
const files = new Set();
for (const entry of entries) {
  const outputs = await outputsOf(entry);
  const source = path.posix.join("js", "pages", entry);
  const [first] = Object.keys(outputs).filter((file) => outputs[file].entryPoint === source);
  const all = reached(outputs, first);
  const hasCode = Object.keys(outputs[first].inputs).length > 0; // else it only imports the shared file
  pages[entry] = (hasCode ? all : all.slice(1)).map(nameOf);
  for (const file of Object.keys(outputs)) files.add(nameOf(file));
}
writeFileSync(path.join(outdir, "pages.json"), JSON.stringify({ pages, files: [...files].sort() }));
