// What the bundle expects of a browser and QuickJS does not have.
import { Buffer } from "buffer";
export { Buffer };

const quiet = () => {};
export const console = { log: quiet, info: quiet, warn: quiet, error: quiet, debug: quiet };
