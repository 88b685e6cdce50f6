//! The snapshot class for a driver: the one that carries Velero's label, else the cluster's default, else the only
//! one. Of several that would do none is taken by chance.

/// A VolumeSnapshotClass or VolumeGroupSnapshotClass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// The driver that it is for.
    pub driver: String,
    /// Whether it carries the label by which Velero's users mark the class for backups.
    pub for_backups: bool,
    /// Whether an annotation makes it the cluster's default.
    pub default: bool,
}

/// The classes of a cluster, all of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Classes(Vec<Class>);

/// Why there is no class for a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassProblem {
    /// No class is for it.
    Missing,
    /// Several are, and none is marked; or several are marked.
    Ambiguous,
}

impl Class {
    /// The label of Velero on a VolumeSnapshotClass; only its presence counts.
    pub const FOR_BACKUPS: &'static str = "velero.io/csi-volumesnapshot-class";
    /// The label of Velero on a VolumeGroupSnapshotClass.
    pub const FOR_GROUP_BACKUPS: &'static str = "velero.io/csi-volumegroupsnapshot-class";
    /// The annotation that makes a VolumeSnapshotClass the default of its driver, with the value `true`.
    pub const DEFAULT: &'static str = "snapshot.storage.kubernetes.io/is-default-class";
    /// The annotation that makes a VolumeGroupSnapshotClass the default of its driver, with the value `true`.
    pub const GROUP_DEFAULT: &'static str = "groupsnapshot.storage.kubernetes.io/is-default-class";
}

impl Classes {
    /// These classes.
    pub const fn new(classes: Vec<Class>) -> Self {
        Self(classes)
    }

    /// The class to take for a driver.
    pub fn of(&self, driver: &str) -> Result<&Class, ClassProblem> {
        let all: Vec<&Class> = self.0.iter().filter(|class| class.driver == driver).collect();
        let marks: [fn(&Class) -> bool; 3] = [|class| class.for_backups, |class| class.default, |_| true];
        let marked = marks.into_iter().find_map(|mark| {
            let marked: Vec<&Class> = all.iter().copied().filter(|class| mark(class)).collect();
            (!marked.is_empty()).then_some(marked)
        });
        match marked.as_deref() {
            None => Err(ClassProblem::Missing),
            Some([class]) => Ok(class),
            Some(_) => Err(ClassProblem::Ambiguous),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Classes of one driver: name, label of Velero, default.
    fn classes(classes: &[(&str, bool, bool)]) -> Classes {
        let class = |&(name, for_backups, default): &(&str, bool, bool)| Class {
            name: name.to_owned(),
            driver: "csi.example.com".to_owned(),
            for_backups,
            default,
        };
        Classes::new(classes.iter().map(class).collect())
    }

    #[test]
    fn the_class_is_the_marked_one_the_default_or_the_only_one() {
        use ClassProblem::{Ambiguous, Missing};
        for (these, expected) in [
            (&[][..], Err(Missing)),
            (&[("only", false, false)], Ok("only")),
            (
                &[("plain", false, false), ("default", false, true)],
                Ok("default"),
            ),
            (&[("default", false, true), ("marked", true, false)], Ok("marked")),
            (&[("both", true, true), ("default", false, true)], Ok("both")),
            (&[("a", false, false), ("b", false, false)], Err(Ambiguous)),
            (&[("a", false, true), ("b", false, true)], Err(Ambiguous)),
            (&[("a", true, false), ("b", true, true)], Err(Ambiguous)),
        ] {
            let classes = classes(these);
            let chosen = classes.of("csi.example.com").map(|class| class.name.as_str());
            assert_eq!(chosen, expected, "{these:?}");
        }
    }

    #[test]
    fn a_class_of_another_driver_is_none() {
        let classes = classes(&[("only", true, true)]);
        assert_eq!(classes.of("other.example.com"), Err(ClassProblem::Missing));
    }
}
