// The compiler takes cheerio from outside; here it is put in, and one function put out.
import mjml2html from "mjml-browser";
import { seedRandom } from "./random.js";

const told = ({ line, message, tagName }) => ({ line, message, tag: tagName });

globalThis.mjmlCompile = (source) => {
  globalThis.mjmlAnswer = undefined;
  seedRandom(source);
  Promise.resolve()
    .then(() => mjml2html(source))
    .then(
      ({ html, errors }) => ({ html, errors: errors.map(told) }),
      (error) => ({ failure: String(error?.message ?? error) }),
    )
    .then((answer) => {
      globalThis.mjmlAnswer = JSON.stringify(answer);
    });
};
