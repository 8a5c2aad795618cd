//! Everything on file of one person's face: several dated views, the newest weighing
//! most, and the chip or printed photo kept apart with thresholds of its own. A face
//! ages, so a newer certified view joins and the stalest leaves. It does not print.

use std::fmt;

use super::template::{self, Content, FaceTemplate, TemplateError};

/// The views of one person.
#[derive(Clone, PartialEq, Default)]
pub struct FaceGallery {
    views: Vec<FaceView>,
}

/// One face on file.
#[derive(Clone, PartialEq)]
pub struct FaceView {
    /// The face.
    pub template: FaceTemplate,
    /// Where it was seen; decides which thresholds its score is read with.
    pub kind: ViewKind,
    /// Days since 1970-01-01 on which it was taken; nothing for a view without a date.
    pub day: Option<u32>,
    /// Quality when it was taken, 0..100.
    pub quality: u8,
}

/// Where a view comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ViewKind {
    /// A live person before the camera.
    Live,
    /// The photo inside the card's chip.
    Chip,
    /// The photo printed on the card, seen by the camera.
    Printed,
}

/// What a probe scores against all views of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KindScore {
    /// The kind, and so the threshold set: see [`ViewKind::reference`].
    pub kind: ViewKind,
    /// The score, -1..1: of several views their mean, newer and better ones weighing more.
    pub score: f32,
    /// Views it was taken from.
    pub n_views: usize,
    /// The newest dated view.
    pub newest_day: Option<u32>,
}

impl ViewKind {
    /// Its name as the `reference` of a threshold set.
    pub fn reference(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Chip => "chip",
            Self::Printed => "printed",
        }
    }

    fn code(self) -> u8 {
        self as u8
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Live, Self::Chip, Self::Printed].into_iter().find(|kind| kind.code() == code)
    }
}

impl FaceGallery {
    /// The views, oldest first within a kind.
    pub fn views(&self) -> &[FaceView] {
        &self.views
    }

    /// Takes a view in. Of live views the [`VIEWS_MAX`] that weigh most stay; of a chip
    /// or printed photo only the newest. A view of other weights is refused, since it
    /// could never be compared with the rest.
    pub fn add(&mut self, view: FaceView) -> Result<(), TemplateError> {
        let comparable = |kept: &FaceView| kept.template.is_comparable_with(&view.template);
        if !self.views.iter().all(comparable) {
            return Err(TemplateError::OtherWeights);
        }
        let kind = view.kind;
        self.views.push(view);
        self.views.sort_by_key(|view| (view.kind, view.day));
        let n_max = if kind == ViewKind::Live { VIEWS_MAX } else { 1 };
        while self.of_kind(kind).count() > n_max {
            self.drop_lightest(kind);
        }
        Ok(())
    }

    /// The same views, each that had no date with this one: days since 1970-01-01.
    pub fn dated(mut self, day: u32) -> Self {
        self.views.iter_mut().for_each(|view| view.day = view.day.or(Some(day)));
        self.views.sort_by_key(|view| (view.kind, view.day));
        self
    }

    /// One score for each kind of view there is; `compare` is given the probe first.
    /// Views of other weights than the probe's say nothing and count for nothing.
    pub(super) fn scores<E>(
        &self,
        probe: &FaceTemplate,
        compare: impl Fn(&FaceTemplate, &FaceTemplate) -> Result<f32, E>,
    ) -> Result<Vec<KindScore>, E> {
        let kinds = [ViewKind::Live, ViewKind::Chip, ViewKind::Printed];
        kinds.into_iter().filter_map(|kind| self.score(kind, probe, &compare).transpose()).collect()
    }

    fn score<E>(
        &self,
        kind: ViewKind,
        probe: &FaceTemplate,
        compare: impl Fn(&FaceTemplate, &FaceTemplate) -> Result<f32, E>,
    ) -> Result<Option<KindScore>, E> {
        let comparable = |view: &&FaceView| view.template.is_comparable_with(probe);
        let views: Vec<&FaceView> = self.of_kind(kind).filter(comparable).collect();
        let newest_day = views.iter().filter_map(|view| view.day).max();
        let (mut sum, mut weights) = (0.0, 0.0);
        for view in &views {
            let weight = view.weight(newest_day);
            sum += weight * compare(probe, &view.template)?;
            weights += weight;
        }
        let (score, n_views) = (sum / weights, views.len());
        Ok((n_views > 0).then_some(KindScore { kind, score, n_views, newest_day }))
    }

    fn of_kind(&self, kind: ViewKind) -> impl Iterator<Item = &FaceView> {
        self.views.iter().filter(move |view| view.kind == kind)
    }

    /// The first view on file anchors the rest and is never the one to leave: otherwise
    /// a chain of small steps could lead to another person.
    fn drop_lightest(&mut self, kind: ViewKind) {
        let newest = self.of_kind(kind).filter_map(|view| view.day).max();
        let of_kind = |(_, view): &(usize, &FaceView)| view.kind == kind;
        let anchors = usize::from(kind == ViewKind::Live);
        let lightest = self
            .views
            .iter()
            .enumerate()
            .filter(of_kind)
            .skip(anchors)
            .min_by(|a, b| a.1.weight(newest).total_cmp(&b.1.weight(newest)));
        let at = lightest.map(|(index, _)| index).expect("there are more views than anchors");
        self.views.remove(at);
    }

    /// The gallery in its stored form, little-endian: `CQF2`, the weights (8), values a
    /// view (u16), number of views (u8), then for each view its kind (u8), quality (u8),
    /// day (u32, all ones without a date), strength (f32) and values (f32 each).
    ///
    /// Views of a vendor's engine are `CQF3`: the engine (8), number of views (u8), then
    /// for each view its kind, quality, day and strength as above, the size of the
    /// template (u32) and the template as the engine made it.
    ///
    /// A reader of `CQF1` refuses `CQF2` as another format, one of `CQF2` refuses `CQF3`;
    /// this reader takes all three.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Some(first) = self.views.first() else { return Vec::new() };
        let mut bytes = Vec::new();
        bytes.extend(if self.is_of_vendor() { MAGIC_VENDOR } else { MAGIC });
        bytes.extend(first.template.model_bytes());
        if let Content::Vector(values) = first.template.content() {
            bytes.extend((values.len() as u16).to_le_bytes());
        }
        bytes.push(self.views.len() as u8);
        for view in &self.views {
            bytes.extend([view.kind.code(), view.quality]);
            bytes.extend(view.day.unwrap_or(NO_DAY).to_le_bytes());
            bytes.extend(view.template.strength().to_le_bytes());
            match view.template.content() {
                Content::Vector(values) => {
                    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
                }
                Content::Vendor(made) => {
                    bytes.extend((made.len() as u32).to_le_bytes());
                    bytes.extend(made);
                }
            }
        }
        bytes
    }

    /// The name of the form that [`Self::to_bytes`] writes.
    pub fn format(&self) -> &'static str {
        if self.is_of_vendor() { "CQF3" } else { "CQF2" }
    }

    fn is_of_vendor(&self) -> bool {
        let first = self.views.first().map(|view| view.template.content());
        matches!(first, Some(Content::Vendor(_)))
    }

    /// Reads `CQF2` or `CQF3`, or the single live view of a `CQF1` template. No bytes: no
    /// views.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TemplateError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        if bytes.starts_with(template::MAGIC) {
            let template = FaceTemplate::from_bytes(bytes)?;
            let view = FaceView { template, kind: ViewKind::Live, day: None, quality: 0 };
            return Ok(Self { views: vec![view] });
        }
        if bytes.starts_with(MAGIC_VENDOR) {
            return Self::from_vendor_bytes(&bytes[MAGIC_VENDOR.len()..]);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(TemplateError::Format);
        }
        let (head, views) = bytes.split_at_checked(HEAD).ok_or(TemplateError::Length)?;
        let n_values = usize::from(u16::from_le_bytes([head[12], head[13]]));
        let view_size = VIEW_HEAD + 4 * n_values;
        if views.len() != usize::from(head[14]) * view_size || views.is_empty() {
            return Err(TemplateError::Length);
        }
        let views = views.chunks_exact(view_size).map(|view| FaceView::read(&head[4..12], view));
        let views: Vec<FaceView> = views.collect::<Result<_, _>>()?;
        Ok(Self { views })
    }

    fn from_vendor_bytes(bytes: &[u8]) -> Result<Self, TemplateError> {
        let cut = TemplateError::Length;
        let (engine, rest) = bytes.split_first_chunk::<8>().ok_or(cut)?;
        let (n_views, mut rest) = rest.split_first().ok_or(cut)?;
        let mut views = Vec::new();
        for _ in 0..*n_views {
            let (head, after) = rest.split_first_chunk::<VIEW_HEAD>().ok_or(cut)?;
            let (size, after) = after.split_first_chunk::<4>().ok_or(cut)?;
            let size = u32::from_le_bytes(*size) as usize;
            let (made, after) = after.split_at_checked(size).ok_or(cut)?;
            views.push(FaceView::of(head, |strength| {
                FaceTemplate::from_vendor_parts(engine, strength, made)
            })?);
            rest = after;
        }
        if views.is_empty() || !rest.is_empty() {
            return Err(cut);
        }
        Ok(Self { views })
    }
}

impl FaceView {
    /// Half for every so many days that it is older than the newest; less when it was
    /// poor. A view without a date counts as old.
    fn weight(&self, newest: Option<u32>) -> f32 {
        let aged = match (self.day, newest) {
            (Some(day), Some(newest)) => {
                0.5f32.powf(newest.saturating_sub(day) as f32 / HALF_LIFE_DAYS).max(WEIGHT_MIN)
            }
            (None, Some(_)) => WEIGHT_MIN,
            (_, None) => 1.0,
        };
        aged * (0.5 + f32::from(self.quality.min(100)) / 200.0)
    }

    fn read(model: &[u8], bytes: &[u8]) -> Result<Self, TemplateError> {
        let (head, values) = bytes.split_first_chunk().ok_or(TemplateError::Length)?;
        Self::of(head, |strength| FaceTemplate::from_parts(model, strength, values))
    }

    /// From the head of a stored view, and its strength as a template.
    fn of(
        bytes: &[u8; VIEW_HEAD],
        template: impl FnOnce(f32) -> Result<FaceTemplate, TemplateError>,
    ) -> Result<Self, TemplateError> {
        let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let day = u32::from_le_bytes(word(2));
        let strength = f32::from_le_bytes(word(6));
        Ok(Self {
            kind: ViewKind::of(bytes[0]).ok_or(TemplateError::Values)?,
            quality: bytes[1],
            day: (day != NO_DAY).then_some(day),
            template: template(strength)?,
        })
    }
}

impl fmt::Debug for FaceGallery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaceGallery({} views)", self.views.len())
    }
}

impl fmt::Debug for FaceView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaceView({:?}, …)", self.kind)
    }
}

/// Live views that are kept.
pub const VIEWS_MAX: usize = 8;
const MAGIC: &[u8] = b"CQF2";
const MAGIC_VENDOR: &[u8] = b"CQF3";
const HEAD: usize = 15;
const VIEW_HEAD: usize = 10;
const NO_DAY: u32 = u32::MAX;
/// Two years: two views a year apart weigh as 1 to 0.7. Set by hand; no set of elders
/// over years was at hand to measure it.
const HALF_LIFE_DAYS: f32 = 730.0;
/// What an old view weighs at least: a good likeness stays one.
const WEIGHT_MIN: f32 = 0.1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::arbitrary::number;

    use super::*;

    fn view(values: &[f32], kind: ViewKind, day: Option<u32>) -> FaceView {
        let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
        let bytes: Vec<u8> = values.iter().flat_map(|v| (v / length).to_le_bytes()).collect();
        let template = FaceTemplate::from_parts(&[7; 8], 3.5, &bytes).unwrap();
        FaceView { template, kind, day, quality: 90 }
    }

    fn gallery(views: impl IntoIterator<Item = FaceView>) -> FaceGallery {
        let mut gallery = FaceGallery::default();
        views.into_iter().for_each(|view| gallery.add(view).unwrap());
        gallery
    }

    fn scores(gallery: &FaceGallery, probe: &FaceView) -> Vec<KindScore> {
        let compare = |a: &_, b: &_| Ok::<_, ()>(template::cosine(a, b));
        gallery.scores(&probe.template, compare).unwrap()
    }

    fn vendors(made: &[u8], day: Option<u32>) -> FaceView {
        let template = FaceTemplate::from_vendor_parts(&[9; 8], 1.0, made).unwrap();
        FaceView { template, kind: ViewKind::Live, day, quality: 80 }
    }

    #[test]
    fn views_of_other_weights_than_the_probe_give_no_score() {
        let old = gallery([view(&[1.0, 0.0], ViewKind::Live, Some(1))]);
        assert_eq!(scores(&old, &vendors(b"a", None)), []);
        let scored = scores(&gallery([vendors(b"a", None)]), &view(&[1.0], ViewKind::Live, None));
        assert_eq!(scored, [], "else every old reference would be another person's");
    }

    #[test]
    fn the_newest_view_weighs_most() {
        let old = view(&[1.0, 0.0], ViewKind::Live, Some(10_000));
        let new = view(&[0.0, 1.0], ViewKind::Live, Some(14_000));
        let gallery = gallery([old.clone(), new.clone()]);
        let score = |probe: &FaceView| scores(&gallery, probe)[0].score;
        assert!(score(&new) > 0.85 && score(&old) < 0.15, "{} {}", score(&new), score(&old));
        assert_eq!(scores(&gallery, &new)[0].newest_day, Some(14_000));
    }

    #[test]
    fn the_chip_photo_has_a_score_and_thresholds_of_its_own() {
        let live = view(&[1.0, 0.0], ViewKind::Live, Some(1));
        let chip = view(&[0.0, 1.0], ViewKind::Chip, None);
        let scores = scores(&gallery([chip, live.clone()]), &live);
        assert_eq!(
            scores.iter().map(|s| s.kind).collect::<Vec<_>>(),
            [ViewKind::Live, ViewKind::Chip]
        );
        assert_eq!((scores[0].score, scores[1].score), (1.0, 0.0));
        let manifest = crate::Manifest::built_in().unwrap();
        for kind in [ViewKind::Live, ViewKind::Chip, ViewKind::Printed] {
            assert!(manifest.thresholds("face", "face-embed", kind.reference()).is_some());
        }
    }

    #[test]
    fn the_first_live_view_and_the_newest_stay() {
        let views = (0..20).map(|i| view(&[1.0, i as f32], ViewKind::Live, Some(100 * i)));
        let gallery = gallery(views.chain([view(&[1.0, 1.0], ViewKind::Chip, Some(5))]));
        let days: Vec<_> = gallery.views().iter().filter_map(|v| v.day).collect();
        assert_eq!(days, [0, 1300, 1400, 1500, 1600, 1700, 1800, 1900, 5]);
    }

    #[test]
    fn of_a_chips_photo_only_the_newest_stays() {
        let chip = |day| view(&[1.0, 0.0], ViewKind::Chip, Some(day));
        let days = |views: [FaceView; 2]| -> Vec<_> {
            gallery(views).views().iter().filter_map(|view| view.day).collect()
        };
        assert_eq!(days([chip(9), chip(7)]), [9]);
        assert_eq!(days([chip(7), chip(9)]), [9]);
    }

    #[test]
    fn a_poor_an_old_and_an_undated_view_weigh_less_but_never_nothing() {
        let probe = view(&[0.0, 1.0], ViewKind::Live, None);
        let score = |other: FaceView| {
            let fresh = view(&[1.0, 0.0], ViewKind::Live, Some(20_000));
            scores(&gallery([fresh, other]), &probe)[0].score
        };
        let like = |day, quality| FaceView { quality, ..view(&[0.0, 1.0], ViewKind::Live, day) };
        let equal = score(like(Some(20_000), 90));
        assert!((equal - 0.5).abs() < 1e-6, "{equal}");
        let poor = score(like(Some(20_000), 20));
        assert!((poor - 0.6 / 1.55).abs() < 1e-6, "{poor}");
        let least = 0.1 / 1.1;
        for old in [Some(1), None] {
            let old = score(like(old, 90));
            assert!((old - least).abs() < 1e-6, "{old}");
        }
    }

    #[test]
    fn a_view_without_a_date_takes_the_day_it_is_kept_on() {
        let dated = view(&[1.0, 0.0], ViewKind::Live, Some(9));
        let fresh = view(&[0.0, 1.0], ViewKind::Live, None);
        let days: Vec<_> =
            gallery([dated, fresh]).dated(20).views().iter().map(|v| v.day).collect();
        assert_eq!(days, [Some(9), Some(20)]);
    }

    #[test]
    fn a_view_of_other_weights_is_refused() {
        let mut gallery = gallery([view(&[1.0, 0.0], ViewKind::Live, None)]);
        let longer = view(&[1.0, 0.0, 0.0], ViewKind::Live, None);
        assert_eq!(gallery.add(longer), Err(TemplateError::OtherWeights));
    }

    #[test]
    fn a_template_of_the_first_format_is_one_undated_live_view() {
        let one = view(&[0.6, 0.8], ViewKind::Live, Some(9));
        let read = FaceGallery::from_bytes(&one.template.to_bytes().unwrap()).unwrap();
        assert_eq!(read.views().len(), 1);
        assert_eq!(read.views()[0].template, one.template);
        assert_eq!((read.views()[0].kind, read.views()[0].day), (ViewKind::Live, None));
        let newer = gallery([one]).to_bytes();
        assert_eq!(FaceTemplate::from_bytes(&newer), Err(TemplateError::Format));
        assert_eq!(FaceGallery::from_bytes(&[]).unwrap(), FaceGallery::default());
    }

    #[test]
    fn a_gallery_does_not_print() {
        let gallery = gallery([view(&[0.6, 0.8], ViewKind::Live, Some(9))]);
        assert_eq!(
            format!("{gallery:?} {:?}", gallery.views()),
            "FaceGallery(1 views) [FaceView(Live, …)]"
        );
    }

    proptest! {
        #[test]
        fn a_gallery_reads_back(
            rows in proptest::collection::vec((proptest::collection::vec(number(0.1..9.0), 6), 0u8..3, any::<u16>()), 1..12),
        ) {
            let views = rows.iter().map(|(values, kind, day)| {
                view(values, ViewKind::of(*kind).unwrap(), (*day > 99).then_some(u32::from(*day)))
            });
            let gallery = gallery(views);
            prop_assert_eq!(FaceGallery::from_bytes(&gallery.to_bytes()), Ok(gallery));
        }

        #[test]
        fn a_vendors_gallery_reads_back(
            rows in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..90), any::<u16>()), 1..12),
        ) {
            let gallery = gallery(rows.iter().map(|(made, day)| vendors(made, Some(u32::from(*day)))));
            prop_assert_eq!(gallery.format().as_bytes(), &gallery.to_bytes()[..4]);
            prop_assert_eq!(FaceGallery::from_bytes(&gallery.to_bytes()), Ok(gallery));
        }

        #[test]
        fn a_cut_or_longer_vendors_gallery_is_refused(cut in 1usize..40, more in 1usize..9) {
            let bytes = gallery([vendors(b"template", Some(3)), vendors(b"other", None)]).to_bytes();
            prop_assert!(FaceGallery::from_bytes(&bytes[..bytes.len() - cut]).is_err());
            prop_assert!(FaceGallery::from_bytes(&[&bytes[..], &vec![0; more]].concat()).is_err());
        }

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), magic in 0usize..3) {
            if let Some(magic) = [MAGIC, MAGIC_VENDOR].get(magic) {
                bytes.splice(0..bytes.len().min(4), magic.iter().copied());
            }
            let _ = FaceGallery::from_bytes(&bytes);
        }

        #[test]
        fn a_cut_or_bent_gallery_is_refused(cut in 1usize..100, at in 0usize..4) {
            let bytes = gallery([view(&[0.6, 0.8], ViewKind::Live, Some(9))]).to_bytes();
            let kept = bytes.len().saturating_sub(cut).max(1);
            prop_assert!(FaceGallery::from_bytes(&bytes[..kept]).is_err());
            let mut bent = bytes;
            bent[at] ^= 1;
            prop_assert!(FaceGallery::from_bytes(&bent).is_err());
        }
    }
}
