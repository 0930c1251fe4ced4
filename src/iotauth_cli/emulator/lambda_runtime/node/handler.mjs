// Finding the handler: CommonJS or an ES module, by extension and by the nearest package.json.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { HandlerNotFound, ImportModuleError, MalformedHandlerName, UserCodeSyntaxError } from "./wording.mjs";

const require = createRequire(import.meta.url);

/**
 * Return what *name*, `folder/module.export.member`, names below *taskRoot*.
 * Whatever the module itself raises passes through.
 */
export async function load(taskRoot, name) {
  const [folder, module, member] = split(name);
  const found = await loadModule(path.resolve(taskRoot, folder, module), [taskRoot, folder], module);
  const handler = member.split(".").reduce((object, key) => object?.[key], found);
  if (!handler) throw new HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== "function") throw new HandlerNotFound(`${name} is not a function`);
  return handler;
}

function split(name) {
  if (name.includes("..")) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const parts = /^([^.]*)\.(.*)$/.exec(path.basename(name));
  if (!parts) throw new MalformedHandlerName("Bad handler");
  return [path.dirname(name), parts[1], parts[2]];
}

async function loadModule(file, paths, module) {
  try {
    for (const [candidate, isModule] of candidates(file)) {
      if (fs.existsSync(candidate)) return await (isModule ? import(pathToFileURL(candidate)) : require(candidate));
    }
    return require(require.resolve(module, { paths }));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error?.code === "MODULE_NOT_FOUND") throw new ImportModuleError(error);
    throw error;
  }
}

/** Yield where the module may be, and whether it is an ES module there, in Lambda's order. */
function* candidates(file) {
  yield [file, false];
  yield [`${file}.js`, isInModulePackage(path.dirname(file))];
  yield [`${file}.mjs`, true];
  yield [`${file}.cjs`, false];
}

function isInModulePackage(folder) {
  if (path.basename(folder) === "node_modules") return false;
  const description = path.join(folder, "package.json");
  if (fs.existsSync(description)) return typeOf(description) === "module";
  const parent = path.dirname(folder);
  return parent !== folder && isInModulePackage(parent);
}

function typeOf(description) {
  try {
    return JSON.parse(fs.readFileSync(description, "utf8"))?.type;
  } catch (error) {
    console.warn(`${description} cannot be read, it will be ignored for ES module detection purposes.`, error);
    return undefined;
  }
}
