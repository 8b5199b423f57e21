import { error, failure, type Result, success } from '../model/diagnostic.ts';

/** `<release>-<distro>-<version>[-suffix]`, for example `2025.1-debian-trixie`. */
export interface ImageTag {
  readonly text: string;
  readonly release: string;
  readonly distro: string;
  readonly version: string;
  readonly suffix?: string | undefined;
}

const form = /^([a-z0-9][a-z0-9.]*)-([a-z]+)-([a-z0-9.]+)(?:-([A-Za-z0-9_.-]+))?$/;

export function parseTag(text: string): Result<ImageTag> {
  const [, release, distro, version, suffix] = form.exec(text) ?? [];
  if (release === undefined || distro === undefined || version === undefined || text.length > 128) {
    return failure([
      error('bad-tag', `"${text}" is not an image tag that can be built`, {
        hint: 'tags have the form release-distribution-version[-suffix], for example 2025.1-debian-trixie',
      }),
    ]);
  }
  return success({ text, release, distro, version, suffix });
}

/** What a Dockerfile template sees besides the helpers `parent` and `install`. */
export interface DockerfileContext {
  readonly image_name: string;
  readonly image_tag: string;
  readonly openstack_release: string;
  readonly base_distro: string;
  readonly base_distro_version: string;
  /** As `uname -m` says it: `x86_64`, `aarch64`. */
  readonly base_arch: string;
}

export function dockerfileContext(image: string, tag: ImageTag, arch: string): DockerfileContext {
  return {
    image_name: image,
    image_tag: tag.text,
    openstack_release: tag.release,
    base_distro: tag.distro,
    base_distro_version: tag.version,
    base_arch: arch,
  };
}
