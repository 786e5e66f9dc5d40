//! Paths with names in them: `/v1/projects/{project_id}`.

use crate::wire::percent;

/// Far longer than any id.
const NAME_MAX_BYTES: usize = 256;

/// Whether a path has the segments of a template, any one where the template has a name.
pub(super) fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fits = |part: &str, segment: &str| part == segment || name(part).is_some();
    template
        .split('/')
        .all(|part| segments.next().is_some_and(|segment| fits(part, segment)))
        && segments.next().is_none()
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
}
