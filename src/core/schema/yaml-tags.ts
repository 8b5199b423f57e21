import type { ScalarTag, Tags } from 'yaml';

/**
 * Scalars as Ansible reads them (YAML 1.1 as PyYAML has it): `yes`, `no`, `on`, `off` are booleans, `0644` is octal.
 * Left out on purpose: dates and base 60 (`10:30` would become 630), which stay text, and `1e3` without a point.
 */
const nullTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:null',
  default: true,
  test: /^(?:~|[Nn]ull|NULL)?$/,
  resolve: () => null,
};

const boolTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  test: /^(?:[Yy]es|YES|[Nn]o|NO|[Tt]rue|TRUE|[Ff]alse|FALSE|[Oo]n|ON|[Oo]ff|OFF)$/,
  resolve: (text) => /^(?:yes|true|on)$/i.test(text),
};

const intTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$/,
  resolve: integer,
};

/** An integer beyond 2^53 stays text: it keeps its digits. */
function integer(text: string): number | string {
  const digits = text.replaceAll('_', '');
  const negative = digits.startsWith('-');
  const body = digits.replace(/^[-+]/, '');
  const value = /^0[0-7]+$/.test(body) ? Number.parseInt(body, 8) : Number(body);
  if (!Number.isSafeInteger(value)) return text;
  return negative ? -value : value;
}

const floatTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  test: /^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$/,
  resolve: (text) => {
    const plain = text.replaceAll('_', '').toLowerCase();
    if (plain.endsWith('.nan')) return Number.NaN;
    if (plain.endsWith('.inf')) return plain.startsWith('-') ? -Infinity : Infinity;
    return Number(plain);
  },
};

const strTag: ScalarTag = {
  tag: 'tag:yaml.org,2002:str',
  default: true,
  resolve: (text) => text,
};

/** Recognised so that the reader can speak about them; their text stays text. */
function textTag(tag: string): ScalarTag {
  return { tag, resolve: (text) => text };
}

export const yamlTags: Tags = [
  'map',
  'seq',
  strTag,
  nullTag,
  boolTag,
  intTag,
  floatTag,
  textTag('!vault'),
  textTag('!vault-encrypted'),
  textTag('!unsafe'),
];
