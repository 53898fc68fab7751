/** The parts of oclif that commands use. The build bundles this one module, because loading oclif whole takes a quarter of a second. */
import { Command } from '@oclif/core/command';
import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';

export { Args, Command, Flags };
