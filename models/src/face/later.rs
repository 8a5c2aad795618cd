//! Views that join a gallery by themselves after a certification, so that it does not grow
//! old. Each has to agree comfortably with what was enrolled or lies on the chip, when it
//! joins and whenever it is used: a chain of look-alikes leads nowhere.

use super::{FaceEngine, FaceGallery, FaceTemplate, FaceView, VIEWS_MAX, ViewKind};
use crate::{Manifest, ModelError, ThresholdSet};

impl FaceEngine {
    /// Whether a face that was just verified is like the enrolled views or the chip's photo by
    /// the margin of their threshold set, and good enough (quality 0..100) to be kept. Views
    /// that joined by themselves are no anchors: they must not be among `anchors`.
    pub fn may_join(
        &self,
        manifest: &Manifest,
        anchors: &FaceGallery,
        probe: &FaceTemplate,
        quality: f32,
    ) -> Result<bool, ModelError> {
        let set = |kind| self.set(manifest, kind);
        anchors.welcomes(set, |a, b| self.compare(a, b), probe, quality)
    }

    /// The anchors with the views that joined later, as far as each still agrees with them. The
    /// newest are preferred, and none takes the place of an enrolled one.
    pub fn with_later(
        &self,
        manifest: &Manifest,
        anchors: &FaceGallery,
        later: impl IntoIterator<Item = FaceView>,
    ) -> Result<FaceGallery, ModelError> {
        let set = |kind| self.set(manifest, kind);
        anchors.with_later(set, |a, b| self.compare(a, b), later.into_iter().collect())
    }

    fn set<'m>(&self, manifest: &'m Manifest, kind: ViewKind) -> Option<&'m ThresholdSet> {
        manifest.thresholds("face", &self.model_id().name, kind.reference())
    }
}

impl FaceGallery {
    fn welcomes<'s, E>(
        &self,
        set: impl Fn(ViewKind) -> Option<&'s ThresholdSet>,
        compare: impl Fn(&FaceTemplate, &FaceTemplate) -> Result<f32, E>,
        probe: &FaceTemplate,
        quality: f32,
    ) -> Result<bool, E> {
        let scores = self.scores(probe, compare)?;
        Ok(scores.iter().any(|found| {
            let set = set(found.kind);
            set.is_some_and(|set| set.welcomes(found.score) && quality >= set.view_quality_min)
        }))
    }

    fn with_later<'s, E>(
        &self,
        set: impl Fn(ViewKind) -> Option<&'s ThresholdSet>,
        compare: impl Fn(&FaceTemplate, &FaceTemplate) -> Result<f32, E>,
        mut later: Vec<FaceView>,
    ) -> Result<Self, E> {
        later.sort_by_key(|view| std::cmp::Reverse(view.day));
        let n_live = self.views().iter().filter(|view| view.kind == ViewKind::Live).count();
        let mut gallery = self.clone();
        let mut room = VIEWS_MAX.saturating_sub(n_live);
        for view in later.into_iter().filter(|view| view.kind == ViewKind::Live) {
            let quality = f32::from(view.quality);
            let agrees = self.welcomes(&set, &compare, &view.template, quality)?;
            // A view of other weights agrees with nothing, so it is never added.
            if room > 0 && agrees && gallery.add(view).is_ok() {
                room -= 1;
            }
        }
        Ok(gallery)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::template, *};

    const QUALITY: u8 = 80;

    /// A face so many degrees away from the enrolled one.
    fn turned(degrees: f32, day: u32) -> FaceView {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let values = [cos, sin].into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>();
        let template = FaceTemplate::from_parts(&[7; 8], 3.5, &values).unwrap();
        FaceView { template, kind: ViewKind::Live, day: Some(day), quality: QUALITY }
    }

    fn enrolled(n: u32) -> FaceGallery {
        let mut gallery = FaceGallery::default();
        (0..n).for_each(|i| gallery.add(turned(i as f32 - 2.0, 100)).unwrap());
        gallery
    }

    fn compare(a: &FaceTemplate, b: &FaceTemplate) -> Result<f32, ()> {
        Ok(template::cosine(a, b))
    }

    fn joins(manifest: &Manifest, anchors: &FaceGallery, view: &FaceView) -> bool {
        let set = |kind: ViewKind| manifest.thresholds("face", "face-embed", kind.reference());
        anchors.welcomes(set, compare, &view.template, f32::from(view.quality)).unwrap()
    }

    fn with_later(anchors: &FaceGallery, later: &[FaceView]) -> FaceGallery {
        let manifest = Manifest::built_in().unwrap();
        let set = |kind: ViewKind| manifest.thresholds("face", "face-embed", kind.reference());
        anchors.with_later(set, compare, later.to_vec()).unwrap()
    }

    /// The margin lies above the threshold: 66 degrees are a cosine of 0.41, 60 one of 0.5.
    #[test]
    fn who_is_only_just_accepted_or_unsure_becomes_no_view() {
        let manifest = Manifest::built_in().unwrap();
        let accept = manifest.thresholds("face", "face-embed", "live").unwrap().accept;
        for (degrees, is_accepted, may_join) in
            [(20.0, true, true), (58.0, true, true), (63.0, true, false), (70.0, false, false)]
        {
            let probe = turned(degrees, 900);
            let score = template::cosine(&turned(0.0, 0).template, &probe.template);
            assert_eq!(score >= accept, is_accepted, "{degrees}");
            assert_eq!(joins(&manifest, &enrolled(5), &probe), may_join, "{degrees}");
        }
        let poor = FaceView { quality: 59, ..turned(20.0, 900) };
        assert!(!joins(&manifest, &enrolled(5), &poor), "too poor to be kept");
        assert!(!joins(&manifest, &FaceGallery::default(), &turned(0.0, 900)), "no anchor");
    }

    /// Each face is like the one before, as a thief's accomplices might be; each that is
    /// welcome joins, the newest three are kept.
    #[test]
    fn a_chain_of_look_alikes_cannot_walk_away_from_the_enrolment() {
        let manifest = Manifest::built_in().unwrap();
        let anchors = enrolled(5);
        let mut later: Vec<FaceView> = Vec::new();
        for step in 1..=30 {
            let probe = turned(4.0 * step as f32, 100 + 365 * step);
            if joins(&manifest, &anchors, &probe) {
                later.push(probe);
                later.drain(..later.len().saturating_sub(3));
            }
        }
        let gallery = with_later(&anchors, &later);
        assert_eq!(gallery.views().len(), 8);
        let furthest = gallery
            .views()
            .iter()
            .map(|view| template::cosine(&view.template, &turned(0.0, 0).template));
        assert!(furthest.fold(1.0, f32::min) >= 0.49, "nobody further than the margin joined");
        let stranger = turned(120.0, 20_000);
        let scores = gallery.scores(&stranger.template, compare).unwrap();
        assert!(scores[0].score < 0.4, "{}", scores[0].score);
    }

    #[test]
    fn an_enrolled_view_is_never_pushed_out_and_the_newest_later_ones_are_used() {
        let later: Vec<FaceView> = (1..=6).map(|year| turned(10.0, 100 + 365 * year)).collect();
        let gallery = with_later(&enrolled(5), &later);
        let days: Vec<_> = gallery.views().iter().filter_map(|view| view.day).collect();
        assert_eq!(days, [100, 100, 100, 100, 100, 1560, 1925, 2290]);
        assert_eq!(with_later(&enrolled(8), &later), enrolled(8), "there is no room");
    }

    /// A view that is like a later one, and not like what was enrolled, has no part.
    #[test]
    fn later_views_are_no_anchors_for_each_other() {
        let chain: Vec<FaceView> = (1..=5).map(|n| turned(n as f32 * 25.0, 1000 - n)).collect();
        let gallery = with_later(&enrolled(1), &chain);
        assert_eq!(gallery.views().len(), 3, "the enrolled one, 25 and 50 degrees");
    }

    #[test]
    fn only_a_live_view_joins_by_itself() {
        let chip = FaceView { kind: ViewKind::Chip, ..turned(5.0, 900) };
        assert_eq!(with_later(&enrolled(3), &[chip]), enrolled(3));
    }

    /// After a new enrolment of the right person nothing of the wrong one is left.
    #[test]
    fn what_no_longer_agrees_with_the_enrolment_is_not_used() {
        let other = turned(100.0, 900);
        assert_eq!(with_later(&enrolled(3), std::slice::from_ref(&other)), enrolled(3));
        assert_eq!(with_later(&FaceGallery::default(), &[other]), FaceGallery::default());
    }
}
