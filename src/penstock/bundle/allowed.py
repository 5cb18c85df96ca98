"""The exact list of what a skops file may hold. What is not here is refused, whatever the file asks for.

One row per loader of skops: the types and functions that it may build. Loaders that can call what a
file names (methods, operators, constructors by reduction) have no row. A type is here because its
state is data: numbers, text, arrays, and other types of this list.
"""

from functools import cache

_PRIMITIVES = ("builtins.bool", "builtins.float", "builtins.int", "builtins.str")
_NUMPY = tuple(
    f"numpy.{name}"
    for name in (
        "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "object_", "str_",
        "uint8", "uint16", "uint32", "uint64",
    )
)  # fmt: skip

# Sources of random numbers, which a file names in the state of a generator.
BIT_GENERATORS = frozenset(f"numpy.random.{name}" for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"))

# Functions that estimators keep a reference to. None reads or writes anything but its arguments.
_FUNCTIONS = (
    *(f"numpy.{name}" for name in ("abs", "absolute", "cbrt", "cos", "exp", "exp2", "expm1", "log", "log10", "log1p")),
    *(f"numpy.{name}" for name in ("log2", "sin", "sqrt", "square")),
    *(
        f"sklearn.feature_selection._univariate_selection.{name}"
        for name in ("chi2", "f_classif", "f_oneway", "f_regression", "r_regression")
    ),
    "scipy._lib.array_api_compat.numpy._aliases.asarray",  # SciPy 1.17; 1.18 keeps a _BSpline in its place
    "scipy.special._ufuncs.expit",
    "scipy.special._ufuncs.logit",
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._mutual_info.mutual_info_regression",
    "sklearn.utils.validation.check_array",
)

_SKLEARN = """
_loss.link HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit
_loss.loss AbsoluteError ExponentialLoss HalfBinomialLoss HalfBinomialLossArrayAPI HalfGammaLoss HalfMultinomialLoss
_loss.loss HalfMultinomialLossArrayAPI HalfPoissonLoss HalfPoissonLossArrayAPI HalfSquaredError HalfTweedieLoss
_loss.loss HalfTweedieLossIdentity HuberLoss PinballLoss
calibration CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration _TemperatureScaling
compose._column_transformer ColumnTransformer
compose._target TransformedTargetRegressor
cross_decomposition._pls PLSRegression
decomposition._factor_analysis FactorAnalysis
decomposition._fastica FastICA
decomposition._incremental_pca IncrementalPCA
decomposition._kernel_pca KernelPCA
decomposition._nmf NMF
decomposition._pca PCA
decomposition._truncated_svd TruncatedSVD
discriminant_analysis LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis
dummy DummyClassifier DummyRegressor
ensemble._bagging BaggingClassifier BaggingRegressor
ensemble._forest ExtraTreesClassifier ExtraTreesRegressor RandomForestClassifier RandomForestRegressor
ensemble._gb GradientBoostingClassifier GradientBoostingRegressor
ensemble._hist_gradient_boosting.binning _BinMapper
ensemble._hist_gradient_boosting.gradient_boosting HistGradientBoostingClassifier HistGradientBoostingRegressor
ensemble._hist_gradient_boosting.predictor TreePredictor
ensemble._stacking StackingClassifier StackingRegressor
ensemble._voting VotingClassifier VotingRegressor
ensemble._weight_boosting AdaBoostClassifier AdaBoostRegressor
feature_extraction._dict_vectorizer DictVectorizer
feature_extraction._hash FeatureHasher
feature_extraction.text CountVectorizer HashingVectorizer TfidfTransformer TfidfVectorizer
feature_selection._from_model SelectFromModel
feature_selection._rfe RFE
feature_selection._univariate_selection GenericUnivariateSelect SelectFdr SelectFpr SelectFwe SelectKBest
feature_selection._univariate_selection SelectPercentile
feature_selection._variance_threshold VarianceThreshold
gaussian_process._gpc GaussianProcessClassifier _BinaryGaussianProcessClassifierLaplace
gaussian_process._gpr GaussianProcessRegressor
gaussian_process.kernels CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Matern Product RBF
gaussian_process.kernels RationalQuadratic Sum WhiteKernel
impute._base MissingIndicator SimpleImputer
impute._knn KNNImputer
isotonic IsotonicRegression
kernel_approximation Nystroem PolynomialCountSketch RBFSampler
kernel_ridge KernelRidge
linear_model._base LinearRegression
linear_model._bayes ARDRegression BayesianRidge
linear_model._coordinate_descent ElasticNet ElasticNetCV Lasso LassoCV
linear_model._glm.glm GammaRegressor PoissonRegressor TweedieRegressor
linear_model._huber HuberRegressor
linear_model._least_angle Lars LarsCV LassoLars LassoLarsCV LassoLarsIC
linear_model._logistic LogisticRegression LogisticRegressionCV
linear_model._omp OrthogonalMatchingPursuit
linear_model._quantile QuantileRegressor
linear_model._ridge Ridge RidgeCV
linear_model._stochastic_gradient SGDClassifier SGDRegressor
linear_model._theil_sen TheilSenRegressor
metrics._dist_metrics ChebyshevDistance64 EuclideanDistance64 HammingDistance64 ManhattanDistance64 MinkowskiDistance64
multiclass OneVsOneClassifier OneVsRestClassifier _ConstantPredictor
naive_bayes BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB
neighbors._ball_tree BallTree
neighbors._classification KNeighborsClassifier RadiusNeighborsClassifier
neighbors._kd_tree KDTree
neighbors._regression KNeighborsRegressor RadiusNeighborsRegressor
neural_network._multilayer_perceptron MLPClassifier MLPRegressor
neural_network._stochastic_optimizers AdamOptimizer SGDOptimizer
pipeline FeatureUnion Pipeline
preprocessing._data Binarizer KernelCenterer MaxAbsScaler MinMaxScaler Normalizer PowerTransformer
preprocessing._data QuantileTransformer RobustScaler StandardScaler
preprocessing._discretization KBinsDiscretizer
preprocessing._encoders OneHotEncoder OrdinalEncoder
preprocessing._function_transformer FunctionTransformer
preprocessing._label LabelBinarizer LabelEncoder
preprocessing._polynomial PolynomialFeatures SplineTransformer
preprocessing._target_encoder TargetEncoder
random_projection GaussianRandomProjection SparseRandomProjection
svm._classes LinearSVC LinearSVR NuSVC NuSVR SVC SVR
tree._classes DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor
"""

_LOSSES = """
sklearn._loss._loss CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss CyHalfMultinomialLoss
sklearn._loss._loss CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss CyHalfTweedieLossIdentity CyHuberLoss
sklearn._loss._loss CyPinballLoss
sklearn.linear_model._sgd_fast EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge
"""

_OTHERS = """
lightgbm.basic Booster
lightgbm.sklearn LGBMClassifier LGBMRegressor
scipy.interpolate._bsplines BSpline _BSpline
xgboost.core Booster
xgboost.sklearn XGBClassifier XGBRegressor XGBRFClassifier XGBRFRegressor
"""


@cache
def allowed() -> dict[str, frozenset[str]]:
    """Loader of skops -> full names that it may build."""
    return {
        "BytearrayNode": frozenset({"builtins.bytearray"}),  # an XGBoost model
        "DefaultDictNode": frozenset({"collections.defaultdict"}),
        "DictNode": frozenset({"builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"}),
        "DTypeNode": frozenset({"numpy.dtype"}),
        "FunctionNode": frozenset(_FUNCTIONS),
        "JsonNode": frozenset({"builtins.str"}),
        "ListNode": frozenset({"builtins.list"}),
        "LossNode": frozenset(_names(_LOSSES)),
        "NdArrayNode": frozenset({"numpy.ndarray", *_NUMPY}),
        "ObjectNode": frozenset(_names(_SKLEARN, "sklearn.") + _names(_OTHERS)),
        "PartialNode": frozenset({"functools.partial"}),
        "RandomGeneratorNode": frozenset({"numpy.random._generator.Generator"}),
        "RandomStateNode": frozenset({"numpy.random.mtrand.RandomState"}),
        "SetNode": frozenset({"builtins.set"}),
        "SliceNode": frozenset({"builtins.slice"}),
        "TreeNode": frozenset({"sklearn.tree._tree.Tree"}),
        "TupleNode": frozenset({"builtins.tuple"}),
        "TypeNode": frozenset({*_PRIMITIVES, *_NUMPY, "collections.OrderedDict"}),
    }


def _names(table: str, prefix: str = "") -> list[str]:
    rows = (line.split() for line in table.strip().splitlines())
    return [f"{prefix}{module}.{name}" for module, *names in rows for name in names]
