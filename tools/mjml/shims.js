// What the bundle expects of a browser and QuickJS does not have.
import { Buffer } from "buffer";
export { Buffer };
