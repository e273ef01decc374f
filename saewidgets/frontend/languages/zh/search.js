// 特征搜索的文字与说明。

export const words = {
  zh: {
    widget: "特征搜索",
    mode: "查找特征的方式",
    search: "搜索",
    saved: "保存的搜索：{mode}",
    results: "找到的特征",
    none: "什么也没有找到。",
    count: "{n} 个特征",
    one: "1 个特征",
    first: "前 {n} 个特征",
    of: "{count}，方式为{mode}：{question}",
    stale: "仍然显示：{told}。重新搜索可替换它。",
    quoted: "“{text}”",
    between: "、",
    feature: "特征",
    histogram: "激活值",
    histogramLabel: "特征 {feature} 的非零激活值的直方图",
    density: "密度",
    maximum: "最大激活值",
    tokens: "最强的词元",
    unlabeled: "无标签",
    hint: "按 Enter 或单击可打开特征。方向键在列表中移动。",
    ticks: {
      regex: "正则表达式",
      case: "区分大小写",
      relative: "以占最大激活值的比例计",
      words: "其中任一个词作为下一个词元",
    },
    choices: {
      scope: { name: "推动位置", options: { all: "每个词元", assistant: "仅回答" } },
      combine: { name: "多段文本时取", options: { mean: "平均增益", each: "最大增益" } },
    },
    limits: { at_least: "含有它的：大于", at_most: "不含它的：至多" },
    heldOut: "{count}。对未见过的文本，分类器判对 {share}；随机猜测为 50 %。",
    cancel: "取消",
    progress: "搜索的进度",
    share: "占最大值",
    status: { idle: "就绪", searching: "正在搜索", stopped: "已停止", error: "失败" },
    waiting: "等待中：另一个单元格或线程正在这个模型上使用钩子",
    modes: {
      text: { name: "例子中的文字", query: "文字", other: "", score: "例子数" },
      token: {
        name: "它所促进的词元",
        query: "词元；前面的空格属于它",
        other: "",
        score: "logit",
      },
      direction: { name: "与之方向相近的特征", query: "特征编号", other: "", score: "余弦" },
      prompt: {
        name: "一段文本中的某个词元",
        query: "文本",
        other: "读到这个词为止；留空：整段文本",
        score: "激活值",
      },
      prompts: {
        name: "含有与不含它的文本",
        query: "含有它的文本，每行一段",
        other: "不含它的文本，每行一段",
        score: "最小值",
      },
      classifier: {
        name: "区分两类文本的特征",
        query: "含有它的文本，每行一段",
        other: "不含它的文本，每行一段",
        score: "权重",
      },
      attribution: {
        name: "它给下一个词元增加的量",
        query: "文本",
        other: "下一个词元；第二行写与之相比的词元",
        score: "增加的 logit",
      },
      effect: {
        name: "它使哪段文本更可能",
        query: "提示词",
        other: "应当接着出现的文本，每行一段",
        score: "增加的 nat",
      },
      concept: { name: "植入的概念", query: "概念", other: "", score: "AUROC" },
    },
    extra: {
      negative: "其他文本中最大",
      at_peak: "在峰值处",
      active: "词元数",
      auroc: "AUROC",
      precision: "精确率",
      recall: "召回率",
      linear: "按梯度估计",
      default: "无推动的对数概率",
      pushed: "有推动的对数概率",
      input_score: "输入分数",
      output_score: "输出分数",
    },
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-search-form",
      say:
        "凭什么查找特征：例子中的文字、它所促进的词元、一个方向、你的一段文本、含有与不含它的文本、" +
        "它使模型说出的话，或一个植入的概念。",
    },
    {
      at: ".saew-search-said",
      say: "找到了多少个。",
    },
    {
      at: ".saew-scroll",
      say: "找到的特征，最好的在前。单击一个，共享这一选择的仪器就会打开它。",
    },
  ],
};
