/**
 * Bundles the front end into lrwidget/static: one script, one style sheet, nothing fetched later.
 *
 *     node js/build.mjs            minified; writes nothing above the size limit
 *     node js/build.mjs --watch    readable, again after every change
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import * as builtIn from "./built_in.js";

// The script travels to the browser with every widget, so its size is a promise to the user.
const LIMIT_BYTES = 203_000;

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const { version, license } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
const notice = `/*! lrwidget ${version}, ${license} */`;

const options = {
  absWorkingDir: root,
  entryPoints: [
    { in: "js/index.js", out: "widget" },
    { in: "js/style/index.css", out: "widget" },
  ],
  outdir: "lrwidget/static",
  bundle: true,
  format: "esm",
  target: "es2022",
  banner: { js: notice, css: notice },
  legalComments: "none",
  charset: "utf8",
  // The same numbers and functions under shorter names, which only people misread.
  inject: ["js/built_in.js"],
  define: {
    "Number.NaN": "NaN",
    "Number.POSITIVE_INFINITY": "Infinity",
    ...Object.fromEntries(
      Object.keys(builtIn).map((name) => [name.replace(/_$/, "").replace("_", "."), name]),
    ),
  },
};

if (process.argv.includes("--watch")) {
  const context = await esbuild.context({ ...options, sourcemap: "inline", logLevel: "info" });
  await context.watch();
} else {
  await buildOnce();
}

async function buildOnce() {
  const { outputFiles, metafile } = await esbuild
    .build({ ...options, minify: true, metafile: true, write: false })
    .catch(() => process.exit(1)); // esbuild has printed why
  for (const { path: file, contents } of outputFiles) {
    const name = path.relative(root, file);
    console.log(`${name}  ${kilobytes(contents.length)} of at most ${kilobytes(LIMIT_BYTES)}`);
    if (contents.length > LIMIT_BYTES) {
      console.error(`${name} is over its limit. Its largest parts:`);
      console.error(largestParts(metafile.outputs[name].inputs));
      process.exit(1);
    }
  }
  await mkdir(path.join(root, options.outdir), { recursive: true });
  await Promise.all(outputFiles.map(({ path: file, contents }) => writeFile(file, contents)));
}

/** @param {Record<string, { bytesInOutput: number }>} inputs */
function largestParts(inputs) {
  return Object.entries(inputs)
    .sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput)
    .slice(0, 8)
    .map(([part, { bytesInOutput }]) => `${kilobytes(bytesInOutput).padStart(10)}  ${part}`)
    .join("\n");
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
