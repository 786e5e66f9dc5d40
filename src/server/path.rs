//! Paths with names in them: `/v1/projects/{project_id}`.

use crate::wire::percent;
use memchr::memchr;

/// Far longer than any id.
const NAME_MAX_BYTES: usize = 256;

/// Whether a path has the segments of a template, any one where the template has a name.
pub(super) fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.as_bytes(), path.as_bytes());
    loop {
        // The literal text up to the next name is the same, most often or not at all: one comparison tells.
        let name = memchr(b'{', template).unwrap_or(template.len());
        let (literal, behind) = template.split_at(name);
        let Some(rest) = path.strip_prefix(literal) else {
            return false;
        };
        if behind.is_empty() {
            return rest.is_empty();
        }
        let end = memchr(b'}', behind).map_or(behind.len(), |at| at + 1);
        template = &behind[end..];
        path = &rest[memchr(b'/', rest).unwrap_or(rest.len())..];
    }
}

/// What stands for the names of a template that fits, decoded once. None if one of them can be no id: empty, endless,
/// or with something in it that cannot be seen.
pub(super) fn names(template: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let is_id = |text: &String| {
        (1..=NAME_MAX_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    };
    template
        .split('/')
        .zip(path.split('/'))
        .filter_map(|(part, segment)| Some((name(part)?, segment)))
        .map(|(name, segment)| Some((name, percent::decode(segment).filter(is_id)?)))
        .collect()
}

/// The name that a part of a template is.
pub(super) fn name(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "/projects/{project}/keys/{key}";

    #[test]
    fn a_name_stands_for_one_segment_and_nothing_else_does() {
        assert!(fits(KEY, "/projects/a/keys/b"));
        assert!(fits("/info", "/info"));
        for other in [
            "/projects/a/keys",
            "/projects/a/keys/b/c",
            "/projects/a/keys/b/",
            "projects/a/keys/b",
            "/projects/a/b/keys/c",
            "/Projects/a/keys/b",
            "",
            "/",
        ] {
            assert!(!fits(KEY, other), "{other}");
        }
    }

    #[test]
    fn names_are_decoded_once_and_refused_when_they_are_no_ids() {
        let names = |path| names(KEY, path);
        let expected = vec![("project", "a/b".to_owned()), ("key", "%2f".to_owned())];
        assert_eq!(names("/projects/a%2Fb/keys/%252f"), Some(expected));
        let long = format!("/projects/{}/keys/b", "a".repeat(NAME_MAX_BYTES + 1));
        for none in [
            "/projects//keys/b",
            "/projects/%00/keys/b",
            "/projects/a%20b/keys/b",
            "/projects/%/keys/b",
            "/projects/%C3%A9/keys/b",
            &long,
        ] {
            assert_eq!(names(none), None, "{none}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_path_fits_as_its_segments_do(path in "/projects/(a|%2F|a/a|)/keys/(a|é|)(/a)?|(/|projects|keys|a|\\{|\\}){0,12}") {
            let parts: Vec<&str> = KEY.split('/').collect();
            let segments: Vec<&str> = path.split('/').collect();
            let is_alike = |(part, segment): (&&str, &&str)| part == segment || name(part).is_some();
            let expected = parts.len() == segments.len() && parts.iter().zip(&segments).all(is_alike);
            assert_eq!(fits(KEY, &path), expected);
            if let Some(names) = names(KEY, &path) {
                assert!(names.iter().all(|(_, id)| id.bytes().all(|b| b.is_ascii_graphic())));
            }
        }
    }
}
