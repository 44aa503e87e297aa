// Evaluates IAM requests: a JSON array of simulations on standard input, one answer a simulation on standard
// output ("Allowed", "ExplicitlyDenied", "ImplicitlyDenied", or what is wrong with the request).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../.tools/node/package.json", import.meta.url));
const { runSimulation } = await import(pathToFileURL(require.resolve("@cloud-copilot/iam-simulate")).href);
const answers = [];
for (const simulation of JSON.parse(readFileSync(0, "utf8"))) {
  const answer = await runSimulation(
    { serviceControlPolicies: [], resourceControlPolicies: [], identityPolicies: [], ...simulation },
    {},
  );
  answers.push(answer.resultType === "error" ? { error: answer.errors } : { result: answer.overallResult });
}
console.log(JSON.stringify(answers));
