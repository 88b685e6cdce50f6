//! Whether a process is in a container: by its place in the control groups, which it can't leave by itself.

/// A container's place in the control groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Cage {
    /// Each hierarchy that knows the container, and the container's path in it.
    places: Vec<(String, String)>,
}

impl Cage {
    /// The place of the container `id`, from what its first process's `/proc/PID/cgroup` says; none if that doesn't
    /// name the container.
    pub(in crate::runtime) fn of(id: &str, cgroup: &str) -> Option<Self> {
        let places: Vec<_> = lines(cgroup)
            .filter_map(|(hierarchy, path)| Some((hierarchy.to_owned(), up_to(path, id)?.to_owned())))
            .collect();
        (!places.is_empty() && !id.is_empty()).then_some(Self { places })
    }

    /// Whether a process whose `/proc/PID/cgroup` says this is in the container, in every hierarchy that knows it.
    pub(in crate::runtime) fn holds(&self, cgroup: &str) -> bool {
        self.places.iter().all(|(hierarchy, place)| {
            lines(cgroup).any(|(other, path)| {
                other == hierarchy
                    && path
                        .strip_prefix(place.as_str())
                        .is_some_and(|below| below.is_empty() || below.starts_with('/'))
            })
        })
    }
}

/// Lines are `number:controllers:path`; what stands before the path names the hierarchy.
fn lines(cgroup: &str) -> impl Iterator<Item = (&str, &str)> {
    cgroup.lines().filter_map(|line| {
        let path = line.match_indices(':').nth(1)?.0 + 1;
        Some((&line[..path], &line[path..]))
    })
}

/// `path` up to the end of the part that holds `id`: runtimes write `…/ID` or `…/cri-containerd-ID.scope`. What
/// the application makes below that is still in the container.
fn up_to<'a>(path: &'a str, id: &str) -> Option<&'a str> {
    let end = path.find(id)? + id.len();
    let part = path[end..].find('/').map_or(path.len(), |slash| end + slash);
    Some(&path[..part])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f1e";

    #[test]
    fn a_container_is_where_its_id_stands() {
        for (init, inside, outside) in [
            (
                "0::/kubepods/burstable/podA/4f1e",
                vec![
                    "0::/kubepods/burstable/podA/4f1e",
                    "0::/kubepods/burstable/podA/4f1e/workers",
                ],
                vec![
                    "0::/",
                    "0::/kubepods/burstable/podA",
                    "0::/kubepods/burstable/podA/4f1e2",
                    "0::/kubepods/burstable/podA/77",
                    "",
                ],
            ),
            (
                "0::/kubepods.slice/cri-containerd-4f1e.scope/init",
                vec!["0::/kubepods.slice/cri-containerd-4f1e.scope"],
                vec!["0::/kubepods.slice/cri-containerd-77.scope"],
            ),
            // The agent in a cgroup namespace of its own sees the others' paths from there.
            (
                "0::/../../podA/4f1e",
                vec!["0::/../../podA/4f1e"],
                vec!["0::/../../podB/77"],
            ),
            // The first version: a hierarchy for each controller. Who has left one of them has left.
            (
                "5:pids:/podA/4f1e\n4:memory:/podA/4f1e\n0::/init",
                vec!["5:pids:/podA/4f1e\n4:memory:/podA/4f1e\n0::/elsewhere"],
                vec![
                    "5:pids:/podA/4f1e\n4:memory:/",
                    "5:pids:/podA/4f1e",
                    "5:memory:/podA/4f1e\n4:pids:/podA/4f1e",
                ],
            ),
        ] {
            let cage = Cage::of(ID, init).unwrap();
            assert!(cage.holds(init), "{init}");
            for cgroup in inside {
                assert!(cage.holds(cgroup), "{cgroup} in {init}");
            }
            for cgroup in outside {
                assert!(!cage.holds(cgroup), "{cgroup} not in {init}");
            }
        }
    }

    #[test]
    fn without_its_id_there_is_no_telling() {
        for cgroup in ["0::/", "0::/kubepods/podA/77", "", "nonsense 4f1e"] {
            assert_eq!(Cage::of(ID, cgroup), None, "{cgroup}");
        }
        assert_eq!(Cage::of("", "0::/kubepods"), None);
    }
}
