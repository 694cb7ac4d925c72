/** The worker of a player that renders. */
import { listen } from "./listen.js";

listen();
